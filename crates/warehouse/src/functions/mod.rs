//! Defines the functions that run an algorithm over the rows of a query and give rows back:
//! `SELECT * FROM clusters((SELECT customer_id, recency, value FROM …), count => 5)`. The first argument is the query, the
//! others are settings by name. Its columns are told apart by their place, as each function says, so they keep the names
//! that they have.
//!
//! A function is one file and one line in [`functions`]; `perennial describe` reads its documentation off that file.

mod call;
mod columns;
mod documented;
mod edges;
mod groups;
mod matrix;
mod series;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, FunctionArg, FunctionArgExpr, TableFactor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Error;
pub(crate) use call::{Call, Calls};
pub use documented::{DescribedFunction, DescribedSetting, described_functions};

/// What a function finds wrong with its columns, its settings or a row: one sentence.
type Problem = String;

/// One call of a function, with its settings.
trait Algorithm: Debug + Send + Sync {
    /// What comes of a query with these columns.
    ///
    /// # Errors
    /// Columns or settings that the function can't take.
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem>;

    /// Of so many columns those without a value in which a row says nothing; such rows are left out.
    fn needed(&self, _columns: usize) -> Range<usize> {
        0..0
    }

    /// The result, with the columns of `output`, for all rows of the query, of which there are some, and which come as
    /// [`Shape`] asks.
    ///
    /// # Errors
    /// Rows that the function can't take.
    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem>;
}

/// What a function makes of the columns of its query.
struct Shape {
    /// The types that the query's columns are cast to.
    input: Vec<DataType>,
    /// Rows come sorted by so many of the first columns: NULLs first.
    sorted_by: usize,
    output: SchemaRef,
}

/// The algorithm with these settings.
type Parse = fn(Value) -> serde_json::Result<Arc<dyn Algorithm>>;

/// A function: its file says what it does.
struct Function {
    name: &'static str,
    source: &'static str,
    parse: Parse,
    /// Every setting that is not given.
    defaults: fn() -> serde_json::Result<Value>,
}

/// Each function by its name, which is that of its file, and the struct of its settings.
macro_rules! functions {
    ($($name:ident: $settings:ident,)*) => {
        $(mod $name;)*

        const FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            source: include_str!(concat!(stringify!($name), ".rs")),
            parse: parse::<$name::$settings>,
            defaults: defaults::<$name::$settings>,
        }),*];
    };
}

functions! {
    anomalies: Anomalies,
    association_rules: AssociationRules,
    attribution: Attribution,
    bandit_replay: BanditReplay,
    best_actions: BestActions,
    buy_till_you_die: BuyTillYouDie,
    cluster_quality: ClusterQuality,
    cluster_rules: ClusterRules,
    cluster_stability: ClusterStability,
    clusters: Clusters,
    communities: Communities,
    compare_arms: CompareArms,
    diversified: Diversified,
    factorial_effects: FactorialEffects,
    forecast: Forecast,
    frequent_itemsets: FrequentItemsets,
    influence_seeds: InfluenceSeeds,
    marketing_mix: MarketingMix,
    matched_clusters: MatchedClusters,
    net_promoter: NetPromoter,
    off_policy: OffPolicy,
    page_rank: PageRank,
    power: Power,
    qini: Qini,
    recommendations: Recommendations,
    sample_ratio: SampleRatio,
    sequential_rules: SequentialRules,
    similar_items: SimilarItems,
    survival: Survival,
    text_classes: TextClasses,
    topics: TextTopics,
    uplift: Uplift,
}

/// A struct of settings, of which each has a default, is the algorithm.
fn parse<A: Algorithm + DeserializeOwned + 'static>(settings: Value) -> serde_json::Result<Arc<dyn Algorithm>> {
    Ok(Arc::new(serde_json::from_value::<A>(settings)?))
}

fn defaults<A: Default + Serialize>() -> serde_json::Result<Value> {
    serde_json::to_value(A::default())
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// Plans calls in FROM.
#[derive(Debug)]
pub(crate) struct InFrom;

impl RelationPlanner for InFrom {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> QueryResult<RelationPlanning> {
        let TableFactor::Table { name, alias, args: Some(arguments), .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let called = name.to_string();
        let found = FUNCTIONS.iter().find(|function| called.eq_ignore_ascii_case(function.name));
        let Some(&Function { name, parse, .. }) = found else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let wrong = |problem: Problem| wrong_call(name, problem);
        let Some((query, settings)) = arguments.args.split_first() else { return Err(wrong(no_query(name))) };
        let input = planned_query(name, query, context)?;
        let settings = named_settings(name, settings, context)?;
        let algorithm = parse(Value::Object(settings.clone()))
            .map_err(|e| wrong(wrong_setting(parse, &settings).unwrap_or_else(|| e.to_string())))?;
        let shape = algorithm.shape(input.schema().as_arrow()).map_err(wrong)?;
        let call = Call::new(
            name,
            Value::Object(settings).to_string(),
            algorithm,
            shape.sorted_by,
            cast_to(&shape, input)?,
            shape.output,
        )?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(call.node(), alias.clone()))))
    }
}

fn no_query(name: &str) -> Problem {
    format!("its first argument is a query in parentheses, as in {name}((SELECT …))")
}

fn planned_query(
    name: &str,
    argument: &FunctionArg,
    context: &mut dyn RelationPlannerContext,
) -> QueryResult<LogicalPlan> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Subquery(query))) = argument else {
        return Err(wrong_call(name, no_query(name)));
    };
    context.plan(TableFactor::Derived { lateral: false, subquery: query.clone(), alias: None, sample: None })
}

/// `name => value`, as JSON.
fn named_settings(
    function: &str,
    arguments: &[FunctionArg],
    context: &mut dyn RelationPlannerContext,
) -> QueryResult<Map<String, Value>> {
    let nothing = DFSchema::empty();
    let mut settings = Map::new();
    for argument in arguments {
        let (name, value) = match argument {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => (name.value.clone(), value),
            FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), .. } => {
                (name.value.clone(), value)
            }
            other => {
                return Err(wrong_call(function, format!("settings are given by name, as in x => 1, not {other}")));
            }
        };
        let constant = match context.sql_to_expr(value.clone(), &nothing)? {
            Expr::Literal(constant, _) => json(&constant),
            _ => None,
        };
        let Some(constant) = constant else {
            return Err(wrong_call(
                function,
                format!("{name} is {value}; it must be a finite number, a text, true or false"),
            ));
        };
        if settings.insert(name.clone(), constant).is_some() {
            return Err(wrong_call(function, format!("{name} is given twice")));
        }
    }
    Ok(settings)
}

/// What is wrong with the first setting that does not do by itself.
fn wrong_setting(parse: Parse, settings: &Map<String, Value>) -> Option<Problem> {
    settings.iter().find_map(|(name, value)| {
        let problem = parse(Map::from_iter([(name.clone(), value.clone())]).into()).err()?.to_string();
        if problem.starts_with("unknown field") {
            return Some(problem.replacen("field", "setting", 1));
        }
        let found = problem.rsplit_once("expected ").filter(|_| problem.starts_with("invalid"));
        Some(match found {
            Some((_, "u32" | "u64" | "usize")) => format!("{name} is {value}: expected a whole number from 0"),
            Some((_, "f64")) => format!("{name} is {value}: expected a number"),
            Some((_, wanted)) => format!("{name} is {value}: expected {wanted}"),
            None => format!("{name} is {value}: {problem}"),
        })
    })
}

fn json(constant: &ScalarValue) -> Option<Value> {
    match constant {
        ScalarValue::Boolean(Some(value)) => Some((*value).into()),
        ScalarValue::Int64(Some(value)) => Some((*value).into()),
        ScalarValue::UInt64(Some(value)) => Some((*value).into()),
        ScalarValue::Float64(Some(value)) if value.is_finite() => Some((*value).into()),
        ScalarValue::Utf8(Some(value)) => Some(value.as_str().into()),
        _ => None,
    }
}

fn cast_to(shape: &Shape, input: LogicalPlan) -> QueryResult<LogicalPlan> {
    let schema = Arc::clone(input.schema());
    let columns = schema.columns().into_iter().zip(&shape.input).map(|(column, wanted)| {
        let (name, column) = (column.name.clone(), Expr::Column(column));
        match column.get_type(schema.as_ref())? == *wanted {
            true => Ok(column),
            false => Ok(cast(column, wanted.clone()).alias(name)),
        }
    });
    let columns = columns.collect::<QueryResult<Vec<_>>>()?;
    LogicalPlanBuilder::from(input).project(columns)?.build()
}

fn wrong_call(name: &str, problem: Problem) -> DataFusionError {
    DataFusionError::External(Box::new(Error::Argument { what: "call of", value: name.to_string(), valid: problem }))
}
