//! Defines the functions that run an algorithm over the rows of a query and give rows back:
//! `SELECT * FROM clusters((SELECT customer_id, recency, value FROM …), count => 5)`. The first argument is the query, the
//! others are settings by name. Its columns are told apart by their place, as each function says, so they keep the names
//! that they have.
//!
//! A function is one file and one line in [`FUNCTIONS`].

mod anomalies;
mod association_rules;
mod attribution;
mod bandit_replay;
mod best_actions;
mod buy_till_you_die;
mod call;
mod cluster_quality;
mod cluster_rules;
mod cluster_stability;
mod clusters;
mod columns;
mod communities;
mod compare_arms;
mod diversified;
mod edges;
mod forecast;
mod frequent_itemsets;
mod groups;
mod influence_seeds;
mod marketing_mix;
mod matched_clusters;
mod matrix;
mod net_promoter;
mod off_policy;
mod page_rank;
mod power;
mod qini;
mod recommendations;
mod sample_ratio;
mod sequential_rules;
mod series;
mod similar_items;
mod survival;
mod text_classes;
mod topics;
mod uplift;

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
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Error;
pub(crate) use call::{Call, Calls};

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

type Parse = fn(Value) -> serde_json::Result<Arc<dyn Algorithm>>;

/// Each function by its name.
const FUNCTIONS: &[(&str, Parse)] = &[
    ("anomalies", parse::<anomalies::Anomalies>),
    ("association_rules", parse::<association_rules::AssociationRules>),
    ("attribution", parse::<attribution::Attribution>),
    ("bandit_replay", parse::<bandit_replay::BanditReplay>),
    ("best_actions", parse::<best_actions::BestActions>),
    ("buy_till_you_die", parse::<buy_till_you_die::BuyTillYouDie>),
    ("cluster_quality", parse::<cluster_quality::ClusterQuality>),
    ("cluster_rules", parse::<cluster_rules::ClusterRules>),
    ("cluster_stability", parse::<cluster_stability::ClusterStability>),
    ("clusters", parse::<clusters::Clusters>),
    ("communities", parse::<communities::Communities>),
    ("compare_arms", parse::<compare_arms::CompareArms>),
    ("diversified", parse::<diversified::Diversified>),
    ("forecast", parse::<forecast::Forecast>),
    ("frequent_itemsets", parse::<frequent_itemsets::FrequentItemsets>),
    ("influence_seeds", parse::<influence_seeds::InfluenceSeeds>),
    ("marketing_mix", parse::<marketing_mix::MarketingMix>),
    ("matched_clusters", parse::<matched_clusters::MatchedClusters>),
    ("net_promoter", parse::<net_promoter::NetPromoter>),
    ("off_policy", parse::<off_policy::OffPolicy>),
    ("page_rank", parse::<page_rank::PageRank>),
    ("power", parse::<power::Power>),
    ("qini", parse::<qini::Qini>),
    ("recommendations", parse::<recommendations::Recommendations>),
    ("sample_ratio", parse::<sample_ratio::SampleRatio>),
    ("sequential_rules", parse::<sequential_rules::SequentialRules>),
    ("similar_items", parse::<similar_items::SimilarItems>),
    ("survival", parse::<survival::Survival>),
    ("text_classes", parse::<text_classes::TextClasses>),
    ("topics", parse::<topics::TextTopics>),
    ("uplift", parse::<uplift::Uplift>),
];

/// A struct of settings, of which each has a default, is the algorithm.
fn parse<A: Algorithm + DeserializeOwned + 'static>(settings: Value) -> serde_json::Result<Arc<dyn Algorithm>> {
    Ok(Arc::new(serde_json::from_value::<A>(settings)?))
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
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
        let Some((name, parse)) = FUNCTIONS.iter().find(|(name, _)| called.eq_ignore_ascii_case(name)) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let wrong = |problem: Problem| wrong_call(name, problem);
        let Some((query, settings)) = arguments.args.split_first() else { return Err(wrong(no_query(name))) };
        let input = planned_query(name, query, context)?;
        let settings = Value::Object(named_settings(name, settings, context)?);
        let algorithm =
            parse(settings.clone()).map_err(|e| wrong(e.to_string().replace("unknown field", "unknown setting")))?;
        let shape = algorithm.shape(input.schema().as_arrow()).map_err(wrong)?;
        let call =
            Call::new(name, settings.to_string(), algorithm, shape.sorted_by, cast_to(&shape, input)?, shape.output)?;
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
