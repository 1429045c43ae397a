//! Lineage of the whole product: what the SQL files make of raw tables, and what tasks make of that.

use crate::error::Result;
use crate::task::Task;
use sequences::Head;
use warehouse::{Derivation, Lineage, Warehouse};

/// Every customer's events in one table: what sequences are read from.
const TIMELINE: &str = "core.timeline";

/// How every table, view, task, score table and published table comes to be; only what is near `name` where one is given.
/// `by_column` follows columns instead of tables.
pub async fn lineage(warehouse: &Warehouse, tasks: &[Task], name: Option<&str>, by_column: bool) -> Result<Lineage> {
    let mut lineage = warehouse.lineage().await?;
    for task in tasks {
        if let Some(view) = &task.view {
            let untold = Some("score writes the rows of the view".into());
            let (name, by) = (format!("scores.{}", task.name), "score".into());
            lineage.derivations.push(Derivation { name, by, reads: vec![view.clone()], columns: Vec::new(), untold });
        }
        let (Some(label), Some(head)) = (&task.label, task.head) else { continue };
        let name = format!("tasks.{}", task.name);
        let inputs: Vec<String> = [TIMELINE.to_string()].into_iter().chain(task.features.clone()).collect();
        let reads = [vec![label.clone()], inputs.clone()].concat();
        lineage.derivations.push(by_model(name.clone(), format!("models/{}.toml", task.name), reads));
        for table in score_tables(head) {
            let reads = [vec![name.clone()], inputs.clone()].concat();
            lineage.derivations.push(by_model(table.to_string(), "score".to_string(), reads));
        }
    }
    match name {
        Some(name) => Ok(lineage.around(name, by_column)?),
        None => Ok(lineage),
    }
}

fn by_model(name: String, by: String, reads: Vec<String>) -> Derivation {
    Derivation { name, by, reads, columns: Vec::new(), untold: Some("a model reads whole sequences".into()) }
}

/// Where the predictions and the embeddings of a head go.
fn score_tables(head: Head) -> &'static [&'static str] {
    match head {
        Head::Churn => &["scores.churn", "scores.churn_horizons", "scores.churn_reasons", "scores.embeddings"],
        Head::Clv => &["scores.clv", "scores.clv_reasons", "scores.embeddings"],
        Head::NextPurchase => {
            &["scores.next_purchase", "scores.next_purchase_time", "scores.embeddings", "models.product_embeddings"]
        }
        Head::NextItem => &[],
        Head::Binary | Head::Count | Head::Amount => {
            &["scores.outcomes", "scores.outcome_reasons", "scores.embeddings"]
        }
    }
}
