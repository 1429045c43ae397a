//! Defines what is done with versions that were published: they are verified, and old ones go.

use futures::{StreamExt, stream};
use serde::Serialize;

use crate::doctor::{FILES_AT_ONCE, Finding};
use crate::error::{Error, Result};
use crate::publish::{
    CURRENT, LATEST, MANIFEST, PublishedFile, PublishedVersion, Publisher, checksum, folder, versions,
};
use crate::writer::blocking;

/// Published versions that were verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExaminedPublished {
    /// Where to.
    pub url: String,
    /// Finished versions.
    pub versions: usize,
    /// Files that were read.
    pub files: u64,
}

/// Published versions that went, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VacuumedVersions {
    /// Where they were published to.
    pub url: String,
    /// Their numbers.
    pub dropped: Vec<u64>,
    /// Their files.
    pub files: u64,
}

impl Publisher {
    /// Verifies that every finished version has its files, with the bytes that were written, and that `_latest.json` and
    /// `current` mean one of them. `seen` is told the number of files read so far.
    ///
    /// Errors: those of the storage; what is wrong is a finding.
    pub async fn examine(&self, seen: &(dyn Fn(u64) + Sync)) -> Result<(ExaminedPublished, Vec<Finding>)> {
        let mut findings = Vec::new();
        let latest = match self.latest().await {
            Ok(latest) => latest,
            Err(Error::Damaged { path, reason }) => {
                findings.push(self.finding(Some(path), format!("it is damaged: {reason}")));
                None
            }
            Err(error) => return Err(error),
        };
        let (mut finished, mut files) = (0, 0);
        for version in versions(&self.root).await? {
            let manifest = format!("{}/{MANIFEST}", folder(version));
            let published: PublishedVersion = match self.root.get_json(&manifest).await {
                Ok(published) => published,
                // Never finished, or begun to be deleted.
                Err(Error::Missing { .. }) if latest.as_ref().is_none_or(|latest| latest.version != version) => {
                    continue;
                }
                Err(Error::Missing { path }) => {
                    findings.push(self.finding(Some(path), format!("it is not there, and {LATEST} means it")));
                    continue;
                }
                Err(Error::Damaged { path, reason }) => {
                    findings.push(self.finding(Some(path), format!("it is damaged: {reason}")));
                    continue;
                }
                Err(error) => return Err(error),
            };
            finished += 1;
            if let Some(latest) = latest.as_ref().filter(|latest| latest.version == version && **latest != published) {
                let problem = format!("it does not say what {manifest} says of version {}", latest.version);
                findings.push(self.finding(Some(self.root.show(LATEST)), problem));
            }
            let all = published.tables.values().flat_map(|table| &table.files);
            let examined = all.map(|file| async move { (file, self.examine_file(file).await) });
            let mut examined = stream::iter(examined.collect::<Vec<_>>()).buffer_unordered(FILES_AT_ONCE);
            while let Some((file, problem)) = examined.next().await {
                files += 1;
                seen(files);
                findings.extend(problem?.map(|problem| self.finding(Some(self.root.show(&file.path)), problem)));
            }
        }
        if let Some(latest) = &latest
            && !versions(&self.root).await?.contains(&latest.version)
        {
            let problem = format!("it means version {}, whose folder is not there", latest.version);
            findings.push(self.finding(Some(self.root.show(LATEST)), problem));
        }
        if let Some(link) = self.root.folder.as_ref().map(|folder| folder.join(CURRENT))
            && link.is_symlink()
            && !link.exists()
        {
            findings.push(self.finding(Some(link.display().to_string()), "it points at nothing".to_owned()));
        }
        findings.sort_unstable();
        Ok((ExaminedPublished { url: self.url().to_string(), versions: finished, files }, findings))
    }

    /// Deletes finished versions but the last `keep`, and what killed publishes left; with `dry_run` only says which
    /// versions. The latest one always stays.
    pub async fn vacuum(&self, keep: usize, dry_run: bool) -> Result<VacuumedVersions> {
        let latest = self.latest().await?.map_or(0, |latest| latest.version);
        let all = versions(&self.root).await?;
        let mut finished = Vec::new();
        for &version in all.range(..=latest) {
            let files = self.root.list(&folder(version)).await?;
            if files.contains(&format!("{}/{MANIFEST}", folder(version))) {
                finished.push((version, files.len() as u64));
            }
        }
        finished.truncate(finished.len().saturating_sub(keep.max(1)));
        if !dry_run {
            // Without its manifest a version is one that was never finished.
            for (version, _) in &finished {
                self.root.delete(&format!("{}/{MANIFEST}", folder(*version))).await?;
            }
            self.clear(&all, latest).await?;
        }
        let files = finished.iter().map(|(_, files)| files).sum();
        let dropped = finished.into_iter().map(|(version, _)| version).collect();
        Ok(VacuumedVersions { url: self.url().to_string(), dropped, files })
    }

    /// What is wrong with a published file.
    async fn examine_file(&self, file: &PublishedFile) -> Result<Option<String>> {
        let bytes = match self.root.get(&file.path).await {
            Ok(bytes) => bytes,
            Err(Error::Missing { .. }) => return Ok(Some("it is not there".to_owned())),
            Err(error) => return Err(error),
        };
        if bytes.len() as u64 != file.size {
            return Ok(Some(format!("it has {} bytes, and its version says {}", bytes.len(), file.size)));
        }
        let sha256 = blocking(move || checksum(&bytes)).await;
        Ok((sha256 != file.sha256).then(|| "its bytes are not those that were published: sha256 differs".to_owned()))
    }

    fn finding(&self, file: Option<String>, problem: String) -> Finding {
        let remedy = "publish again, and point readers at the new version".to_owned();
        Finding { place: "published".to_owned(), file, problem, remedy }
    }
}
