//! `topics((SELECT feedback_id, text FROM …), count => 8)`: what each text is about: groups of words that texts have
//! together, topic 1 for that of most texts, each by its heaviest words. Rows without a text are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::text::{Topic, TopicSettings, topics};
use arrow::array::{AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{engine, exactly, text, told};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 2] = ["what has a text, such as an answer's id", "its text"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TextTopics {
    /// Topics.
    count: usize,
    /// In a topic's name.
    words: usize,
}

impl Default for TextTopics {
    fn default() -> Self {
        let TopicSettings { count, words } = TopicSettings::default();
        TextTopics { count, words }
    }
}

impl Algorithm for TextTopics {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [id, said] = exactly(columns, COLUMNS)?;
        let input = vec![id.data_type().clone(), text(&said)?];
        let found = [("topic_id", DataType::Int64), ("topic", DataType::Utf8), ("weight", DataType::Float64)];
        let found = found.map(|(name, data_type)| Arc::new(Field::new(name, data_type, true)));
        let output = Schema::new([id].into_iter().chain(found).collect::<Vec<_>>());
        Ok(Shape { input, sorted_by: 2, output: Arc::new(output) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        1..2
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let texts: Vec<&str> = rows.column(1).as_string::<i32>().iter().map(Option::unwrap_or_default).collect();
        let Self { count, words } = *self;
        let found = topics(&texts, &TopicSettings { count, words }).map_err(|e| told(rows, e))?;
        let names: Vec<String> = found.words.iter().map(|words| words.join(", ")).collect();
        let name = |topic: Topic| names[topic.number].as_str();
        let columns = vec![
            Arc::clone(rows.column(0)),
            Arc::new(found.of_texts.iter().map(|topic| topic.map(|t| t.number as i64 + 1)).collect::<Int64Array>()),
            Arc::new(found.of_texts.iter().map(|topic| topic.map(name)).collect::<StringArray>()),
            Arc::new(found.of_texts.iter().map(|topic| topic.map(|t| t.weight)).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
