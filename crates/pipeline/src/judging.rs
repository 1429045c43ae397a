//! Evaluating a run at its test cut-off, which neither training nor early stopping saw, beside plain baselines and,
//! for a simulated shop, beside the best that any model could know.

use crate::baselines::{self, BuyTillYouDie, Known};
use crate::dataset::{self, Labels, Outcome};
use crate::error::{Error, Result};
use crate::evaluation::{Answers, Decile, Evaluation, Judged, Role, Row, SHOWN, compare};
use crate::features::{EVERY_FEATURE, Features};
use crate::learning::Learning;
use crate::metrics_table::{MetricRow, OURS, metric_rows};
use crate::progress::Progress;
use crate::report::write_report;
use crate::runs::{Plan, Run};
use crate::shown::Shown;
use crate::slices::{Slice, Traits};
use crate::task::Task;
use crate::time::{date, now};
use crate::truth::Truth;
use analytics::boosting::Loss;
use analytics::metrics::NOT_RANKED;
use sequences::{Example, LabelledExample, Sequences, TargetKind};
use std::path::PathBuf;
use trainer::{Model, NextPurchase, Predictions};
use warehouse::Warehouse;

/// What is judged, and against which truth.
#[derive(Clone, Debug, Default)]
pub struct EvaluateOptions {
    /// The run; the task's newest without it.
    pub run: Option<String>,
    /// Folder with a simulated shop's truth.
    pub truth: Option<PathBuf>,
    /// Days after the cut-off to look at, where the model tells how long customers stay away; its task's horizon without it.
    pub horizon_days: Option<u32>,
    /// How probable it must be called for a customer to be approached: precision, recall and F1 there too.
    pub threshold: Option<f64>,
    /// Judge parts of the customers too.
    pub slices: bool,
    /// Where to write it all as one HTML page.
    pub html: Option<PathBuf>,
}

/// Judges a run and appends what came out to `models.metrics`.
pub async fn evaluate(
    warehouse: &Warehouse,
    task: &Task,
    options: &EvaluateOptions,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    check_threshold(task, options.threshold)?;
    options.html.as_deref().map_or(Ok(()), store::Store::must_be_outside)?;
    let run = Run::find(warehouse, &task.name, options.run.as_deref()).await?;
    let plan = &run.plan.over(options.horizon_days)?;
    let sequences = dataset::sequences(warehouse, plan.snapshot, progress).await?;
    let truth = options.truth.as_deref().map(|folder| Truth::read(folder, plan)).transpose()?;
    progress.start(&format!("evaluate {}", task.name), None);
    let traits = if options.slices { Some(Traits::read(warehouse, plan).await?) } else { None };
    let model = run.model(warehouse).await?;
    let evaluation =
        judge(warehouse, plan, &model, &sequences, Asked { truth, traits, threshold: options.threshold }).await?;
    let evaluation = Evaluation { learning: Learning::read(warehouse, &run).await?, ..evaluation };
    let examples = evaluation.examples;
    let metrics = evaluation.rows.iter().map(|row| MetricRow::test(&evaluation, row));
    let slices = evaluation.slices.iter().flat_map(|slice| MetricRow::of_slice(&evaluation, slice));
    let metrics = metrics.chain(slices).map(|row| row.over(options.horizon_days));
    let metrics: Vec<MetricRow> = metrics.collect();
    let recorded_at = now();
    let transaction = format!("evaluate:{}:{recorded_at}", run.run_id);
    let tables = vec![("models.metrics", vec![metric_rows(&metrics, recorded_at)?])];
    warehouse.append(tables, &transaction, "evaluate").await?;
    if let Some(file) = &options.html {
        write_report(&evaluation, file)?;
    }
    progress.finish(&format!("{examples} customers"));
    Ok(evaluation)
}

/// What is asked beside how good the model is.
#[derive(Default)]
pub(crate) struct Asked {
    truth: Option<Truth>,
    /// The parts of the customers to judge.
    traits: Option<Traits>,
    threshold: Option<f64>,
}

/// Whether a task's answers can be compared with a threshold.
fn check_threshold(task: &Task, threshold: Option<f64>) -> Result<()> {
    let problem = match (task.head()?.target_kind(), threshold) {
        (_, None) => return Ok(()),
        (TargetKind::Label, Some(threshold)) if threshold > 0.0 && threshold <= 1.0 => return Ok(()),
        (TargetKind::Label, Some(threshold)) => format!("a threshold of {threshold} is no probability above 0"),
        _ => format!("its head, {}, gives no probability that a threshold could be set to", task.head()?.name()),
    };
    Err(Error::Task { task: task.name.clone(), problem })
}

/// Judges a model of a plan at its test cut-off.
pub(crate) async fn judge(
    warehouse: &Warehouse,
    plan: &Plan,
    model: &Model,
    sequences: &Sequences,
    asked: Asked,
) -> Result<Evaluation> {
    let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, &[plan.test]).await?;
    let features = TestFeatures::read(warehouse, plan, model, &labels).await?;
    let judge = Judge { warehouse, plan, sequences, labels, features, asked };
    let judged = judge.judged()?;
    let ours = tokio::task::block_in_place(|| answers(model, &plan.task, sequences, &judged))?;
    let Compared { rows, slices } = judge.compare(&judged, &ours).await?;
    Ok(Evaluation {
        task: plan.task.name.clone(),
        run_id: plan.run_id.clone(),
        protocol: protocol(&plan.task)?,
        as_of: date(plan.test),
        examples: judged.examples.len(),
        rows,
        deciles: deciles(&judged.actual, &ours)?,
        shown: judge.shown(&judged, &ours)?,
        slices,
        learning: None,
    })
}

/// How a task is judged, so that the numbers can be compared with others'.
pub(crate) fn protocol(task: &Task) -> Result<String> {
    let days = task.horizon_days;
    Ok(match task.head()?.target_kind() {
        TargetKind::Next => {
            format!(
                "time split, {days} days; products: buyers of the horizon, ranked against the whole catalogue, repeats \
                 count; days: everybody, at most the horizon"
            )
        }
        _ if task.is_rolled_out() => {
            let learnt = task.learnt_days();
            format!("time split, {days} days, learnt over {learnt}, every customer of the cut-off")
        }
        _ => format!("time split, {days} days, every customer of the cut-off"),
    })
}

/// The test customers with everything that judges a model on them.
struct Judge<'a> {
    warehouse: &'a Warehouse,
    plan: &'a Plan,
    sequences: &'a Sequences,
    labels: Labels,
    features: TestFeatures,
    asked: Asked,
}

/// What is known of the test customers beside their events.
struct TestFeatures {
    /// What our model reads.
    ours: Features,
    /// Every shipped feature, which baselines read; empty where none does.
    every: Features,
}

impl TestFeatures {
    async fn read(warehouse: &Warehouse, plan: &Plan, model: &Model, labels: &Labels) -> Result<TestFeatures> {
        let every = match plan.task.head()?.target_kind() {
            TargetKind::Next => Features::default(),
            _ => Features::read(warehouse, plan.snapshot, EVERY_FEATURE, &labels.keys).await?,
        };
        let own = match plan.task.features.as_deref() {
            Some(EVERY_FEATURE) if !every.names.is_empty() => None,
            _ => Some(Features::of_task(warehouse, plan.snapshot, &plan.task, &labels.keys).await?),
        };
        let days = plan.task.horizon_days;
        let prior = plan.prior_features(warehouse, plan.snapshot, &labels.keys, days).await?;
        let ours = Features::select(&[own.as_ref().unwrap_or(&every), &prior], &model.features())?;
        Ok(TestFeatures { ours, every })
    }
}

/// Our model beside the others, on all customers and on parts of them.
struct Compared {
    rows: Vec<Row>,
    slices: Vec<Slice>,
}

/// Who is judged, and what happened to each.
struct Judgement {
    /// Everybody with a known label.
    examples: Vec<LabelledExample>,
    actual: Actual,
}

enum Actual {
    Label(Vec<bool>),
    Value(Vec<f64>),
    Next {
        /// Those who bought a known product: who, and what.
        buyers: Vec<(String, i64)>,
        products: Vec<String>,
        bought: Vec<LabelledExample>,
        /// Of everybody: days to the next purchase, the horizon's length where there was none in it.
        days: Vec<f64>,
    },
}

/// What our model says of each.
enum Ours {
    Probability(Vec<f64>),
    Value(Vec<f64>),
    Next {
        /// Of each product bought.
        ranks: Vec<u32>,
        /// Of everybody the median days to the purchase, at most the horizon's length, where the model knows time.
        days: Option<Vec<f64>>,
        /// Of everybody the products that come first, as places in the catalogue.
        lists: Vec<Vec<usize>>,
        catalogue: Vec<String>,
    },
}

fn answers(model: &Model, task: &Task, sequences: &Sequences, judged: &Judgement) -> Result<Ours> {
    let examples: Vec<Example> = judged.examples.iter().map(|labelled| labelled.example.clone()).collect();
    if task.tells_when() {
        let absences = model.absences(sequences, &examples, &[task.horizon_days])?;
        return Ok(Ours::Probability(absences.concat()));
    }
    Ok(match model.predict(sequences, &examples, SHOWN as usize)? {
        Predictions::Probability(p) => Ours::Probability(p),
        Predictions::Value(values) => Ours::Value(values.iter().map(|value| value.expected).collect()),
        Predictions::NextPurchase(next) => {
            let bought: &[LabelledExample] =
                if let Actual::Next { bought, .. } = &judged.actual { bought } else { &[] };
            let ranks = model.rank_targets(sequences, bought, false)?;
            let horizon = f64::from(model.horizon_days());
            let place = |next: &NextPurchase| next.products.iter().map(|(place, _)| *place).collect();
            Ours::Next {
                ranks: ranks.into_iter().map(|rank| rank.unwrap_or(NOT_RANKED)).collect(),
                days: next.iter().map(|next| next.time.map(|time| time.median_days.min(horizon))).collect(),
                lists: next.iter().map(place).collect(),
                catalogue: model.products().to_vec(),
            }
        }
    })
}

/// Tenths of the customers by what our model says of them.
fn deciles(actual: &Actual, ours: &Ours) -> Result<Vec<Decile>> {
    let of = |actual: &[f64], predicted: &[f64]| -> Result<Vec<Decile>> {
        Ok(analytics::deciles::deciles(actual, predicted)?.into_iter().map(Decile::from).collect())
    };
    match (actual, ours) {
        (Actual::Label(happened), Ours::Probability(p)) => {
            of(&happened.iter().map(|&happened| f64::from(u8::from(happened))).collect::<Vec<_>>(), p)
        }
        (Actual::Value(actual), Ours::Value(predicted)) => of(actual, predicted),
        _ => Ok(Vec::new()),
    }
}

impl Judge<'_> {
    fn judged(&self) -> Result<Judgement> {
        let length = crate::training::config(&self.plan.task)?.length();
        let examples = self.labels.examples(self.sequences, &self.features.ours, length)?;
        let outcomes = &self.labels.outcomes;
        let actual = match self.plan.task.head()?.target_kind() {
            TargetKind::Label => Actual::Label(outcomes.iter().map(Outcome::has_happened).collect()),
            TargetKind::Amount | TargetKind::Count => Actual::Value(outcomes.iter().map(Outcome::number).collect()),
            TargetKind::Next => self.next_purchases(&examples),
        };
        if examples.is_empty() {
            let problem = format!("nobody to judge at {}: no label is known in the test horizon", date(self.plan.test));
            return Err(Error::Task { task: self.plan.task.name.clone(), problem });
        }
        Ok(Judgement { examples, actual })
    }

    fn next_purchases(&self, examples: &[LabelledExample]) -> Actual {
        let (mut buyers, mut products, mut bought) = (Vec::new(), Vec::new(), Vec::new());
        for ((key, example), outcome) in self.labels.keys.iter().zip(examples).zip(&self.labels.outcomes) {
            if let Outcome::Next { product: Some(product), .. } = outcome {
                buyers.push(key.clone());
                products.push(product.clone());
                bought.push(example.clone());
            }
        }
        Actual::Next { buyers, products, bought, days: restricted_days(&self.labels, self.plan) }
    }

    fn shown(&self, judged: &Judgement, ours: &Ours) -> Result<Option<Shown>> {
        let (Actual::Next { products, .. }, Ours::Next { lists, catalogue, .. }) = (&judged.actual, ours) else {
            return Ok(None);
        };
        Shown::new(self.sequences, self.plan.test, catalogue, lists, products)
    }

    async fn compare(&self, judged: &Judgement, ours: &Ours) -> Result<Compared> {
        match (&judged.actual, ours) {
            (Actual::Label(happened), Ours::Probability(p)) => self.label(happened, p).await,
            (Actual::Value(actual), Ours::Value(predicted)) => self.value(actual, predicted).await,
            (Actual::Next { buyers, products, days, .. }, Ours::Next { ranks, days: median, .. }) => {
                let mut compared = self.days(days, median.as_deref()).await?;
                // A source without products, CDNOW say, still has a when.
                if !buyers.is_empty() {
                    let Compared { rows, slices } = self.products(buyers, products, ranks)?;
                    compared.rows.splice(0..0, rows);
                    compared.slices.splice(0..0, slices);
                }
                Ok(compared)
            }
            _ => {
                let problem = format!("the run's model does not predict {}", self.plan.task.head()?.name());
                Err(Error::Task { task: self.plan.task.name.clone(), problem })
            }
        }
    }

    async fn label(&self, happened: &[bool], ours: &[f64]) -> Result<Compared> {
        let judge = |name: &str, p: &[f64]| {
            let decided = self.asked.threshold.map(|from| Answers::Decisions(happened.into(), p.into(), from));
            Judged::new(name, [Answers::Labels(happened.into(), p.into())].into_iter().chain(decided))
        };
        self.check_reached(ours)?;
        let mut others = Vec::new();
        if let Some(known) = self.known().await? {
            let every = &self.features.every;
            let logistic = tokio::task::block_in_place(|| baselines::logistic(&known, every))?;
            let trees = tokio::task::block_in_place(|| baselines::boosted_trees(&known, Loss::Log, every))?;
            others.push((Role::Baseline, judge("logistic regression on RFM", &logistic)?));
            others.push((Role::Baseline, judge(baselines::TREES, &trees)?));
            if self.is_own()? {
                others.push((Role::Baseline, judge(baselines::MEAN, &vec![known.mean(); happened.len()])?));
            }
        }
        for baseline in self.buy_till_you_die().await? {
            others.push((Role::Baseline, judge(baseline.name, &baseline.churn())?));
        }
        if let Some(truth) = &self.asked.truth {
            others.push((Role::Attainable, judge(Truth::NAME, &truth.churn(&self.labels.keys)?)?));
        }
        self.beside(&self.labels.keys, &judge(OURS, ours)?, &others)
    }

    async fn value(&self, actual: &[f64], ours: &[f64]) -> Result<Compared> {
        let kind = self.plan.task.head()?.target_kind();
        let judge = |name: &str, predicted: &[f64]| Judged::new(name, [Answers::numbers(kind, actual, predicted)]);
        let mut others = Vec::new();
        if let Some(known) = self.known().await? {
            let every = &self.features.every;
            let trees = tokio::task::block_in_place(|| baselines::boosted_trees(&known, Loss::Squared, every))?;
            others.push((Role::Baseline, judge(baselines::TREES, &trees)?));
            if self.is_own()? {
                let mut mean = judge(baselines::MEAN, &vec![known.mean(); actual.len()])?;
                // One number for everybody puts nobody before another.
                mean.metrics.retain(|metric| !["spearman", "pearson"].contains(&metric.name.as_str()));
                others.push((Role::Baseline, mean));
            }
        }
        for baseline in self.buy_till_you_die().await? {
            let says = if kind == TargetKind::Count { baseline.purchases() } else { baseline.value() };
            others.push((Role::Baseline, judge(baseline.name, &says)?));
        }
        if let Some(truth) = &self.asked.truth {
            let mut best = judge(Truth::NAME, &truth.value(&self.labels.keys)?)?;
            // The truth is the mean; of absolute errors the median is the least, so it bounds nothing there.
            best.metrics.retain(|metric| metric.name != "mae");
            others.push((Role::Attainable, best));
        }
        self.beside(&self.labels.keys, &judge(OURS, ours)?, &others)
    }

    /// What those who bought in the horizon bought.
    fn products(&self, buyers: &[(String, i64)], products: &[String], ranks: &[u32]) -> Result<Compared> {
        let judge = |name: &str, ranks: &[u32]| Judged::new(name, [Answers::Ranks(ranks.into())]);
        let rules = baselines::product_rules(self.sequences, buyers, products);
        let mut others = vec![
            (Role::Baseline, judge("popularity", &rules.popularity)?),
            (Role::Baseline, judge("last item, then popularity", &rules.last_item)?),
        ];
        for (name, ranks) in baselines::buyers_recommenders(self.sequences, buyers, products)? {
            others.push((Role::Baseline, judge(name, &ranks)?));
        }
        if let Some(truth) = &self.asked.truth {
            others.push((Role::Attainable, judge(Truth::NAME, &truth.ranks(buyers, products)?)?));
        }
        self.beside(buyers, &judge(OURS, ranks)?, &others)
    }

    /// When everybody bought, beside the best constant of the training cut-offs.
    async fn days(&self, actual: &[f64], median: Option<&[f64]>) -> Result<Compared> {
        let Some(median) = median else { return Ok(Compared { rows: Vec::new(), slices: Vec::new() }) };
        let judge = |name: &str, predicted: &[f64]| Judged::new(name, [Answers::Days(actual.into(), predicted.into())]);
        let plan = self.plan;
        let training = dataset::labels(self.warehouse, plan.snapshot, &plan.task, &plan.train).await?;
        let typical = vec![middle(&restricted_days(&training, plan)); actual.len()];
        let others = [(Role::Baseline, judge("median of the training cut-offs", &typical)?)];
        self.beside(&self.labels.keys, &judge(OURS, median)?, &others)
    }

    /// `keys` are the judged customers.
    fn beside(&self, keys: &[(String, i64)], ours: &Judged, others: &[(Role, Judged)]) -> Result<Compared> {
        let slices = self.asked.traits.as_ref().map(|traits| traits.compare(keys, ours, others)).transpose()?;
        Ok(Compared { rows: compare(ours, others)?, slices: slices.unwrap_or_default() })
    }

    fn check_reached(&self, p: &[f64]) -> Result<()> {
        let highest = p.iter().copied().fold(0.0, f64::max);
        match self.asked.threshold.filter(|threshold| highest < *threshold) {
            Some(threshold) => {
                let problem = format!("nobody's probability reaches {threshold}; the highest is {highest:.4}");
                Err(Error::Task { task: self.plan.task.name.clone(), problem })
            }
            None => Ok(()),
        }
    }

    fn is_own(&self) -> Result<bool> {
        Ok(self.plan.task.head()?.is_of_ones_own())
    }

    /// What other models learn from; None where the answers look further ahead than what can be learnt from.
    async fn known(&self) -> Result<Option<Known>> {
        match self.plan.task.is_rolled_out() {
            true => Ok(None),
            false => Ok(Some(Known::read(self.warehouse, self.plan).await?)),
        }
    }

    /// Absent where they say nothing of the label, and where nobody ever bought twice: then there is nothing to fit.
    async fn buy_till_you_die(&self) -> Result<Vec<BuyTillYouDie>> {
        // A label of one's own that starts from purchases is one of them.
        if self.is_own()? && self.plan.prior.is_none() {
            return Ok(Vec::new());
        }
        match baselines::buy_till_you_die(self.warehouse, self.plan, &self.labels).await {
            Err(Error::Analytics(analytics::Error::NoRepeatPurchase { .. })) => Ok(Vec::new()),
            result => result,
        }
    }
}

/// Days to the next purchase, the horizon's length where there was none in it.
fn restricted_days(labels: &Labels, plan: &Plan) -> Vec<f64> {
    let horizon = f64::from(plan.task.horizon_days);
    labels.outcomes.iter().map(|outcome| outcome.restricted_days(horizon)).collect()
}

/// The median; `values` is not empty.
fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
