//! Whether a warehouse is sound: snapshots, logs, every file to its last page, runs, and what was published.

use crate::columns::Rows;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::run_folder::{self, NEEDED, RECORD};
use serde::Serialize;
use store::{ExaminedPublished, ExaminedTable, Finding, Publisher};
use warehouse::{SessionOptions, Warehouse};

/// What is verified.
#[derive(Clone, Debug, Default)]
pub struct DoctorOptions {
    /// Only these tables, and nothing else.
    pub tables: Vec<String>,
    /// Where the warehouse publishes to.
    pub published: Option<String>,
    /// Settings of the object store that is published to.
    pub environment: Vec<(String, String)>,
}

/// What was verified, and what is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorReport {
    pub snapshots: usize,
    pub tables: Vec<ExaminedTable>,
    /// Finished runs.
    pub runs: usize,
    pub published: Option<ExaminedPublished>,
    /// Files and folders below the root that no table, snapshot or run has. They do no harm.
    pub foreign: Vec<String>,
    pub findings: Vec<Finding>,
}

/// Reads every file that a snapshot or unfinished work needs, and changes nothing.
pub async fn doctor(warehouse: &Warehouse, options: &DoctorOptions, progress: &dyn Progress) -> Result<DoctorReport> {
    let DoctorOptions { tables: names, published, environment } = options;
    progress.start("doctor", None);
    let store = warehouse.store();
    let (snapshots, mut findings) = store.examine_snapshots().await?;
    let (mut tables, mut files) = (Vec::new(), 0);
    for name in warehouse.written(names, &snapshots).await? {
        progress.note(&name);
        let (table, found) = store.examine_table(&name, &snapshots, &|done| progress.at(files + done)).await?;
        files += table.files;
        tables.push(table);
        findings.extend(found);
    }
    let (snapshots, foreign) = (snapshots.len(), Vec::new());
    let mut report = DoctorReport { snapshots, tables, runs: 0, published: None, foreign, findings };
    if names.is_empty() {
        progress.note("runs");
        // A session needs tables that can be read; what is wrong with them is found already.
        if report.findings.is_empty() {
            report.runs = runs(warehouse, &mut report.findings).await?;
        }
        if let Some(url) = published {
            progress.note(url);
            let publisher = Publisher::open(url, environment.iter().cloned())?;
            let (examined, found) = publisher.examine(&|done| progress.at(files + done)).await?;
            files += examined.files;
            report.published = Some(examined);
            report.findings.extend(found);
        }
        report.findings.extend(store.examine_erasure().await?);
        report.foreign = store.foreign().await?;
    }
    progress.finish(&format!("{files} files read, {} findings", report.findings.len()));
    Ok(report)
}

/// Fails if anything is wrong.
pub fn must_be_sound(report: &DoctorReport) -> Result<()> {
    match report.findings.len() {
        0 => Ok(()),
        findings => Err(Error::Unsound { findings }),
    }
}

/// Whether the folder of every run that `models.runs` names is whole; their number.
async fn runs(warehouse: &Warehouse, findings: &mut Vec<Finding>) -> Result<usize> {
    let session = warehouse.session(SessionOptions::default()).await?;
    let batches = session.sql("SELECT DISTINCT run_id FROM models.runs ORDER BY run_id").await?.collect().await?;
    let runs = Rows { what: "models.runs".into(), batches }.texts("run_id")?;
    for run_id in runs.iter().flatten() {
        let place = run_folder::place(run_id);
        let files = warehouse.store().list(&place).await?;
        for name in NEEDED.iter().chain([&RECORD]) {
            let file = format!("{place}/{name}");
            if !files.contains(&file) {
                let problem = "it is not there".to_string();
                let remedy = "put it back from a copy of the warehouse, or train the task again".to_string();
                findings.push(Finding { place: "models.runs".into(), file: Some(file), problem, remedy });
            }
        }
    }
    Ok(runs.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_run_without_its_weights_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let shop = crate::init(&folder.path().display().to_string(), 4, []).await.unwrap();
        let run =
            RecordBatch::try_from_iter([("run_id", Arc::new(StringArray::from(vec!["r1"])) as ArrayRef)]).unwrap();
        shop.append(vec![("models.runs", vec![run])], "train:r1", "train").await.unwrap();
        for name in NEEDED.iter().chain([&RECORD]) {
            shop.store().put_file(&format!("{}/{name}", run_folder::place("r1")), "…").await.unwrap();
        }
        let options = DoctorOptions::default();
        let sound = doctor(&shop, &options, &Silent).await.unwrap();
        assert_eq!((sound.runs, sound.findings.len()), (1, 0));
        must_be_sound(&sound).unwrap();
        std::fs::remove_file(folder.path().join("runs/r1/weights.safetensors")).unwrap();
        let report = doctor(&shop, &options, &Silent).await.unwrap();
        assert_eq!(report.findings[0].file.as_deref(), Some("runs/r1/weights.safetensors"));
        assert!(must_be_sound(&report).unwrap_err().to_string().contains("1 finding"));
    }
}
