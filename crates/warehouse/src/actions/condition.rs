//! Defines [`Expression`], a piece of SQL in a rule: a value of one customer, from columns written `schema.view.column`.

use std::fmt::{self, Display, Formatter};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, visit_expressions};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use serde::Deserialize;

/// SQL that parses.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Expression {
    /// As it was written.
    pub(super) text: String,
    /// The same text for all that differ only in blanks, brackets, letter case and the order of what may be swapped.
    pub(super) meaning: String,
    /// What it reads, in the order of reading.
    pub(super) columns: Vec<Column>,
}

/// A column of a view.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// `schema.view`.
    pub(super) view: String,
    name: String,
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.name)
    }
}

/// A number stands for itself.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or SQL in quotes")]
enum Written {
    Whole(i64),
    Real(f64),
    Sql(String),
}

impl TryFrom<Written> for Expression {
    type Error = String;

    fn try_from(written: Written) -> Result<Expression, String> {
        match written {
            Written::Whole(number) => Expression::parse(number.to_string()),
            Written::Real(number) if number.is_finite() => Expression::parse(number.to_string()),
            Written::Real(number) => Err(format!("{number} is no finite number")),
            Written::Sql(text) => Expression::parse(text),
        }
    }
}

impl Expression {
    fn parse(text: String) -> Result<Expression, String> {
        let wrong = |problem: String| format!("{text:?}: {problem}");
        let mut parser = Parser::new(&GenericDialect {}).try_with_sql(&text).map_err(|e| wrong(e.to_string()))?;
        let expression = parser.parse_expr().map_err(|e| wrong(e.to_string()))?;
        let rest = parser.peek_token().token;
        if rest != Token::EOF {
            return Err(wrong(format!("one SQL expression, which ends before {rest}")));
        }
        let mut columns = Vec::new();
        let found = visit_expressions(&expression, |part| match column(part) {
            Ok(Some(column)) => {
                columns.push(column);
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(problem) => ControlFlow::Break(problem),
        });
        match found {
            ControlFlow::Break(problem) => Err(wrong(problem)),
            ControlFlow::Continue(()) => Ok(Expression { meaning: meaning(&expression), text, columns }),
        }
    }

    /// The same, as a real.
    pub(super) fn as_double(&self) -> String {
        format!("cast(({}) AS DOUBLE)", self.text)
    }
}

/// The column that this part of an expression is.
fn column(part: &Expr) -> Result<Option<Column>, String> {
    let full = "write a column as schema.view.column, such as insights.rfm.segment";
    match part {
        Expr::Identifier(name) => Err(format!("{name} is of no view: {full}")),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [schema, view, name] if parts.iter().all(|part| part.quote_style.is_none()) => {
                let [schema, view, name] = [schema, view, name].map(|part| part.value.to_lowercase());
                Ok(Some(Column { view: format!("{schema}.{view}"), name }))
            }
            _ => Err(format!("{part} is of no view: {full}")),
        },
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            Err("a query in a rule: make a view of it, of the grain customer_id, as_of".into())
        }
        _ => Ok(None),
    }
}

/// One text of all ways to write the same comparison, sum, product, AND or OR.
fn meaning(part: &Expr) -> String {
    use BinaryOperator::*;
    let in_order = |mut operands: Vec<String>, between: &str| {
        operands.sort();
        format!("({})", operands.join(between))
    };
    match part {
        Expr::Nested(inner) => meaning(inner),
        Expr::CompoundIdentifier(_) => part.to_string().to_lowercase(),
        Expr::InList { expr, list, negated: false } => {
            format!("{} IN {}", meaning(expr), in_order(list.iter().map(meaning).collect(), ", "))
        }
        Expr::Between { negated: false, .. } => in_order(operands(part, &And), " AND "),
        Expr::BinaryOp { left, op: Lt, right } => format!("({} > {})", meaning(right), meaning(left)),
        Expr::BinaryOp { left, op: LtEq, right } => format!("({} >= {})", meaning(right), meaning(left)),
        Expr::BinaryOp { op: op @ (Eq | NotEq | And | Or | Plus | Multiply), .. } => {
            in_order(operands(part, op), &format!(" {op} "))
        }
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", meaning(left), meaning(right)),
        other => other.to_string(),
    }
}

/// What an operator that may be applied in any order joins.
fn operands(part: &Expr, of: &BinaryOperator) -> Vec<String> {
    match part {
        Expr::Nested(inner) => operands(inner, of),
        Expr::BinaryOp { left, op, right } if op == of => [operands(left, of), operands(right, of)].concat(),
        Expr::Between { expr, negated: false, low, high } if *of == BinaryOperator::And => {
            let [value, low, high] = [expr, low, high].map(|part| meaning(part));
            vec![format!("({value} >= {low})"), format!("({high} >= {value})")]
        }
        other => vec![meaning(other)],
    }
}
