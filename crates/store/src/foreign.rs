//! Defines [`Store::foreign`]: what lies below the root of a warehouse and is none of it. No snapshot reads it and no vacuum
//! takes it, and what it holds of a customer no erasure finds.

use crate::erase::{self, is_ours};
use crate::error::Result;
use crate::folder::RUNS;
use crate::snapshot;
use crate::store::{MARKER, Store};

/// Folders of the warehouse that are no table's.
const FOLDERS: [&str; 3] = [snapshot::FOLDER, erase::FOLDER, RUNS];

impl Store {
    /// Files and folders beside those of the tables, snapshots, erasures and runs, as messages name them. What lies in the
    /// folder of a table counts as the table's.
    pub async fn foreign(&self) -> Result<Vec<String>> {
        let tables = self.table_names().await?;
        let (mut files, mut unknown) = self.root.entries("").await?;
        files.retain(|file| file != MARKER);
        unknown.retain(|folder| !FOLDERS.contains(&folder.as_str()));
        let is_schema = |folder: &String| tables.iter().any(|table| table.split('.').next() == Some(folder));
        let (schemas, mut folders): (Vec<_>, Vec<_>) = unknown.into_iter().partition(is_schema);
        for schema in schemas {
            let (beside, inside) = self.root.entries(&schema).await?;
            files.extend(beside);
            folders.extend(inside.into_iter().filter(|folder| !tables.contains(&folder.replacen('/', ".", 1))));
        }
        for folder in folders {
            // A writer that was killed before it made its table leaves files of ours; the next one makes it.
            if self.root.list(&folder).await?.iter().any(|file| !is_ours(file)) {
                files.push(format!("{folder}/"));
            }
        }
        files.sort_unstable();
        Ok(files.iter().map(|path| self.root.show(path)).collect())
    }
}
