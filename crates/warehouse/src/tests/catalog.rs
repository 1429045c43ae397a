use std::collections::BTreeMap;

use super::assert_says;
use crate::{Catalog, Kind};

fn open(files: &[(&str, &str)]) -> crate::Result<Catalog> {
    Catalog::new(files.iter().map(|(path, sql)| (path.to_string(), sql.to_string())).collect::<BTreeMap<_, _>>())
}

#[test]
fn the_shipped_files_are_right_and_in_order() {
    let catalog = Catalog::open(None).unwrap();
    let mut seen = Vec::new();
    for definition in catalog.iter() {
        for read in definition.reads.iter().filter(|read| catalog.get(read).is_some()) {
            assert!(seen.contains(read), "{} comes before {read}", definition.full_name());
        }
        seen.push(definition.full_name());
    }
    assert!(catalog.get("core.orders").is_some_and(|d| d.kind == Kind::Table && d.header.key == ["order_id"]));
}

#[test]
fn a_cycle_is_named() {
    let files = [
        ("features/a.sql", "SELECT * FROM features.b"),
        ("features/b.sql", "SELECT * FROM features.c"),
        ("features/c.sql", "SELECT * FROM features.b"),
    ];
    assert_says(open(&files), &["features.b -> features.c -> features.b"]);
}

#[test]
fn a_view_reads_no_later_schema() {
    let files = [("features/a.sql", "SELECT * FROM marts.m"), ("marts/m.sql", "SELECT 1 AS x")];
    assert_says(open(&files), &["sql/features/a.sql", "marts.m", "earlier schema"]);
    let files = [("staging/s/t.sql", "SELECT * FROM core.t"), ("core/t.sql", "CREATE TABLE core.t (a BIGINT)")];
    assert_says(open(&files), &["sql/staging/s/t.sql", "core.t", "staging only raw"]);
}

#[test]
fn every_mistake_names_its_file() {
    assert_says(open(&[("features/a.sql", "SELEKT 1")]), &["sql/features/a.sql", "SELEKT"]);
    assert_says(open(&[("features/a.sql", "SELECT 1; SELECT 2")]), &["sql/features/a.sql", "exactly one statement"]);
    assert_says(open(&[("features/a.sql", "SELECT * FROM core.nothing")]), &["core.nothing", "no file defines"]);
    assert_says(open(&[("feature/a.sql", "SELECT 1")]), &["no schema feature", "features"]);
    assert_says(open(&[("features/A.sql", "SELECT 1")]), &["\"A\" is no name"]);
    assert_says(open(&[("core/t.sql", "CREATE TABLE core.u (a BIGINT)")]), &["creates core.u", "core.t"]);
    assert_says(open(&[("core/t.sql", "CREATE TABLE core.t (a UUID)")]), &["column a", "UUID", "VARCHAR"]);
    assert_says(open(&[("core/t.sql", "DROP TABLE core.t")]), &["sql/core/t.sql", "one SELECT or one CREATE TABLE"]);
    assert_says(open(&[("staging/s/t.sql", "SELECT * FROM raw.s_t")]), &["no table core.t"]);
    assert_says(
        open(&[("features/a.sql", "SELECT * FROM spine TABLESAMPLE (10)")]),
        &["sql/features/a.sql", "TABLESAMPLE"],
    );
}

#[test]
fn names_in_common_table_expressions_are_no_tables() {
    let catalog =
        open(&[("features/a.sql", "WITH x AS (SELECT 1 AS y) SELECT * FROM x, spine, unnest([1, 2])")]).unwrap();
    assert_eq!(catalog.get("features.a").unwrap().reads, ["spine"]);
}
