//! Every function on what no function can use: an answer of the right columns or a sentence, never a panic and never a number
//! that is none.

use super::Shop;
use crate::Session;
use crate::functions::names;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};

/// The columns that each function takes: K a key, R a number, I a whole number, T a day, B a flag, L a list of texts.
const COLUMNS: &[(&str, &str)] = &[
    ("anomalies", "KTR"),
    ("association_rules", "KK"),
    ("attribution", "KTKRR"),
    ("bandit_replay", "IKRRR"),
    ("best_actions", "TKKKKRRRRRIBK"),
    ("buy_till_you_die", "KRRRR"),
    ("cluster_quality", "KKRR"),
    ("cluster_rules", "KKRR"),
    ("cluster_stability", "KRR"),
    ("clusters", "KRR"),
    ("communities", "KKR"),
    ("compare_arms", "KRR"),
    ("diversified", "KKRL"),
    ("factorial_effects", "KKR"),
    ("forecast", "KTR"),
    ("frequent_itemsets", "KK"),
    ("influence_seeds", "KKR"),
    ("marketing_mix", "KRR"),
    ("matched_clusters", "KII"),
    ("net_promoter", "KR"),
    ("off_policy", "KKRRK"),
    ("page_rank", "KKR"),
    ("power", "KRRR"),
    ("qini", "RRR"),
    ("recommendations", "KKR"),
    ("sample_ratio", "KI"),
    ("sequential_rules", "KTK"),
    ("similar_items", "KKR"),
    ("survival", "KRR"),
    ("text_classes", "KKK"),
    ("topics", "KK"),
    ("uplift", "KRRR"),
];

/// A query of one row for each of `numbers`, all of whose columns say as little as that.
fn query(kinds: &str, numbers: &[&str]) -> String {
    let columns = |row: usize, number: &str| -> String {
        let column = |(place, kind): (usize, char)| {
            let (value, sql_type) = match kind {
                'R' => (number.to_string(), "DOUBLE"),
                'I' => ("1".into(), "BIGINT"),
                'T' => (format!("'2024-01-0{}'", row + 1), "TIMESTAMP"),
                'B' => ("false".into(), "BOOLEAN"),
                'L' => (format!("make_array('x{row}')"), "VARCHAR[]"),
                _ => (format!("'k{row}'"), "VARCHAR"),
            };
            match (number, kind) {
                ("NULL", 'L') => format!("CASE WHEN false THEN make_array('x') END AS c{place}"),
                ("NULL", _) => format!("cast(NULL AS {sql_type}) AS c{place}"),
                (_, 'L') => format!("{value} AS c{place}"),
                _ => format!("cast({value} AS {sql_type}) AS c{place}"),
            }
        };
        kinds.chars().enumerate().map(column).collect::<Vec<_>>().join(", ")
    };
    let rows = numbers.iter().enumerate().map(|(row, number)| format!("SELECT {}", columns(row, number)));
    rows.collect::<Vec<_>>().join(" UNION ALL ")
}

/// What comes of a call: its rows, or why there are none.
async fn called(session: &Session, name: &str, query: &str, settings: &str) -> Result<Vec<RecordBatch>, String> {
    let call = format!("SELECT * FROM {name}(({query}){settings})");
    let found = match session.sql(&call).await {
        Ok(query) => query.collect().await,
        Err(error) => Err(error),
    };
    found.map_err(|error| error.to_string())
}

fn has_a_number_that_is_none(batches: &[RecordBatch]) -> bool {
    let columns = batches.iter().flat_map(RecordBatch::columns);
    let mut reals = columns.filter(|column| *column.data_type() == DataType::Float64);
    reals.any(|column| column.as_primitive::<Float64Type>().iter().flatten().any(f64::is_nan))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_or_says_why_not() {
    let session = Shop::new(&[]).await.session().await;
    assert!(names().eq(COLUMNS.iter().map(|(name, _)| *name)), "a function is missing here");
    for (name, kinds) in COLUMNS {
        let nothing = format!("SELECT * FROM ({}) WHERE false", query(kinds, &["1.0"]));
        let empty = called(&session, name, &nothing, "").await.unwrap_or_else(|e| panic!("{name} of no rows: {e}"));
        assert_eq!(empty.iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{name}");
        let unknown = called(&session, name, &nothing, ", no_such_setting => 1").await.unwrap_err();
        assert!(unknown.contains("no_such_setting"), "{name}: {unknown}");
        for numbers in [
            &["NULL", "NULL"][..],
            &["1.0"],
            &["0.0", "0.0"],
            &["'inf'", "1.0"],
            &["'nan'", "0.0"],
            &["1e300", "-1e300"],
            &["-1.0", "2.0"],
            &["1.0", "1.0", "1.0"],
        ] {
            match called(&session, name, &query(kinds, numbers), "").await {
                Ok(rows) => assert!(!has_a_number_that_is_none(&rows), "{name} of {numbers:?}: {rows:?}"),
                Err(why) => assert!(!why.contains("panic") && why.len() > 10, "{name} of {numbers:?}: {why}"),
            }
        }
    }
}
