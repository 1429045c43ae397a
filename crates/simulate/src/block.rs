//! A block of customers as rows of every file, dirt included.

use chrono::{DateTime, Datelike, Utc};
use rand::Rng;

use crate::Kind;
use crate::acquisition::Arrival;
use crate::customer::{self, CHANNELS, History, Line, Purchase, TouchKind};
use crate::draw::chance;
use crate::increments;
use crate::outlook::Outlook;
use crate::parameters::*;
use crate::people;
use crate::shop::{SECONDS_PER_DAY, Seconds, Shop};
use crate::tables::{self, Cell, Lines, Rows, Table};
use crate::truth::{self, Attainable};

/// Rows of consecutive customers, in order.
pub(crate) struct Block {
    pub(crate) customers: Lines,
    pub(crate) consents: Lines,
    /// Per month of ordering, counted from the shop's first.
    pub(crate) orders: Vec<Lines>,
    pub(crate) late_orders: Lines,
    /// Of [`tables::TABLES`], in their order.
    pub(crate) tables: Vec<Rows>,
}

impl Block {
    pub(crate) fn simulate(shop: &Shop, outlook: &Outlook, customers: std::ops::Range<u64>) -> Self {
        let mut block = Self {
            customers: Lines::default(),
            consents: Lines::default(),
            orders: vec![Lines::default(); months(shop)],
            late_orders: Lines::default(),
            tables: tables::TABLES.iter().map(|table| table.rows()).collect(),
        };
        for index in customers {
            let mut rng = shop.customer_rng(index);
            let history = customer::simulate(shop, index, &mut rng);
            let mut writer = CustomerRows { shop, block: &mut block, number: index + 1, id: customer_id(index) };
            writer.push_customer(&history, &mut rng);
            writer.push_consents(&history);
            writer.push_orders(&history, &mut rng);
            writer.push_events(&history);
            writer.push_arrival(&history);
            writer.push_touches(&history);
            writer.push_assignments(&history);
            writer.push_feedback(&history);
            writer.push_loyalty(&history);
            writer.push_latent(&history);
            if let Some(attainable) = truth::attainable(shop, outlook, &history) {
                writer.push_attainable(&attainable);
            }
        }
        block
    }

    fn rows(&mut self, table: &Table) -> &mut Rows {
        let index = tables::TABLES.iter().position(|other| other.file == table.file);
        index.map_or_else(|| unreachable!("{} is one of the tables", table.file), |index| &mut self.tables[index])
    }
}

pub(crate) fn customer_id(index: u64) -> String {
    format!("c{:07}", index + 1)
}

/// Months, of which the last may be partial, in which the shop's orders lie.
pub(crate) fn months(shop: &Shop) -> usize {
    month_of(shop, shop.end - 1) + 1
}

pub(crate) fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn month_of(shop: &Shop, at: Seconds) -> usize {
    let month = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
    (month(shop.time(at)) - month(shop.start)) as usize
}

/// Writes one customer into a block.
struct CustomerRows<'a> {
    shop: &'a Shop,
    block: &'a mut Block,
    number: u64,
    id: String,
}

/// One line of an orders file.
struct OrderRow<'a> {
    order_id: &'a str,
    customer_id: &'a str,
    at: Seconds,
    recorded: Seconds,
    status: &'static str,
    discount: f64,
}

impl CustomerRows<'_> {
    fn dirty(&self, share: f64, rng: &mut impl Rng) -> bool {
        self.shop.kind == Kind::Full && chance(share, rng)
    }

    fn push_customer(&mut self, history: &History, rng: &mut impl Rng) {
        let created = iso(self.shop.time(history.latent.acquired));
        let channel = history.purchases.first().map_or(0, |purchase| purchase.channel);
        let person = match self.shop.kind {
            Kind::Full => people::person(self.number, self.shop.time(self.shop.end), rng),
            Kind::ParetoNbd => ",,,,,,".to_string(),
        };
        let line = format!("{},{created},{person},{}", self.id, CHANNELS[channel]);
        self.block.customers.push(&line);
        if self.dirty(DUPLICATE_CUSTOMER, rng) {
            self.block.customers.push(&line);
        }
    }

    fn push_consents(&mut self, history: &History) {
        if self.shop.kind == Kind::ParetoNbd {
            return;
        }
        let Self { shop, block, number, id } = self;
        let mut count = 0;
        let mut push = |at: Seconds, purpose: &str, channel: &str, granted: bool| {
            count += 1;
            let at = iso(shop.time(at));
            block.consents.push(&format!("a{number:07}-{count},{id},{at},{purpose},{channel},{granted}"));
        };
        let consents = &history.consents;
        let agreed = |bit: usize| consents.marketing >> bit & 1 == 1;
        for (bit, channel) in MARKETING.iter().enumerate() {
            push(history.latent.acquired, "marketing", channel.0, agreed(bit));
        }
        push(history.latent.acquired, "profiling", "", consents.profiling);
        if let Some(at) = consents.withdrawn {
            let withdrawn = MARKETING.iter().enumerate().filter(|(bit, _)| agreed(*bit));
            withdrawn.for_each(|(_, channel)| push(at, "marketing", channel.0, false));
        }
    }

    fn push_orders(&mut self, history: &History, rng: &mut impl Rng) {
        let id = self.id.clone();
        let order_id = |index: usize, number: u64| format!("o{number:07}-{:03}", index + 1);
        for (index, purchase) in history.purchases.iter().enumerate() {
            self.push_purchase(&order_id(index, self.number), &id, purchase, rng);
        }
        for reversal in &history.reversals {
            let purchase = &history.purchases[reversal.of];
            let (status, suffix) = if reversal.cancels { ("cancelled", "C") } else { ("returned", "R") };
            let order_id = format!("{}-{suffix}", order_id(reversal.of, self.number));
            let discount = -reversal.lines.iter().map(|&line| purchase.lines[line].discount).sum::<f64>();
            let (at, recorded) = (reversal.at, reversal.recorded);
            let row = OrderRow { order_id: &order_id, customer_id: &id, at, recorded, status, discount };
            if self.push_order(&row, purchase, rng) {
                for &line in &reversal.lines {
                    let Line { product, quantity, unit_price, discount } = purchase.lines[line];
                    let back = Line { product, quantity: -quantity, unit_price, discount: -discount };
                    self.push_line(&order_id, line, &back);
                }
            }
        }
        for (index, purchase) in history.guests.iter().enumerate() {
            self.push_purchase(&format!("g{:07}-{}", self.number, index + 1), "", purchase, rng);
        }
    }

    fn push_purchase(&mut self, order_id: &str, customer_id: &str, purchase: &Purchase, rng: &mut impl Rng) {
        let (at, recorded) = (purchase.at, purchase.recorded);
        let discount = purchase.lines.iter().map(|line| line.discount).sum();
        let row = OrderRow { order_id, customer_id, at, recorded, status: "completed", discount };
        if !self.push_order(&row, purchase, rng) {
            return;
        }
        for (index, line) in purchase.lines.iter().enumerate() {
            self.push_line(order_id, index, line);
        }
        if self.dirty(ZERO_QUANTITY * purchase.lines.len() as f64, rng) {
            let nothing = Line { quantity: 0.0, discount: 0.0, ..purchase.lines[0] };
            self.push_line(order_id, purchase.lines.len(), &nothing);
        }
    }

    /// False where the order is not exported, because it is not known by the end.
    fn push_order(&mut self, row: &OrderRow, purchase: &Purchase, rng: &mut impl Rng) -> bool {
        let Self { shop, .. } = self;
        let OrderRow { order_id, customer_id, at, recorded, status, discount } = *row;
        if recorded >= shop.end {
            return false;
        }
        let store = purchase.store.map_or(String::new(), |store| format!("st{:02}", store + 1));
        let campaign =
            purchase.campaign.filter(|_| status == "completed").map_or("", |c| shop.campaigns[c].id.as_str());
        let (ordered_at, recorded_at, channel) =
            (iso(shop.time(at)), iso(shop.time(recorded)), CHANNELS[purchase.channel]);
        let line = format!(
            "{order_id},{customer_id},{ordered_at},{recorded_at},{channel},{store},{status},EUR,{discount:.2},{campaign}"
        );
        let copies = if self.dirty(DUPLICATE_ORDER, rng) { 2 } else { 1 };
        let is_late = (recorded - at) as f64 >= ORDER_DELAY.late.0 * SECONDS_PER_DAY;
        let month = month_of(self.shop, at);
        let file = if is_late { &mut self.block.late_orders } else { &mut self.block.orders[month] };
        (0..copies).for_each(|_| file.push(&line));
        true
    }

    fn push_line(&mut self, order_id: &str, index: usize, line: &Line) {
        let line_id = (index + 1).to_string();
        self.block.rows(&tables::ORDER_LINES).push([
            Cell::Text(order_id),
            Cell::Text(&line_id),
            Cell::Text(&self.shop.catalogue.products[line.product].id),
            Cell::Number(line.quantity),
            Cell::Number(line.unit_price),
            Cell::Number(line.discount),
        ]);
    }

    fn push_events(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        let mut count = 0;
        let sessions = history.sessions.iter().chain(&history.checkouts);
        for (index, session) in sessions.enumerate() {
            let session_id = format!("s{number:07}-{:04}", index + 1);
            for event in session.events.iter().filter(|event| event.at < shop.end && event.recorded < shop.end) {
                count += 1;
                block.rows(&tables::EVENTS).push([
                    Cell::Text(&format!("e{number:07}-{count:05}")),
                    Cell::Text(id),
                    Cell::Time(shop.micros(event.at)),
                    Cell::Time(shop.micros(event.recorded)),
                    Cell::Text(event.kind),
                    Cell::Text(session.channel),
                    Cell::text_or_null(event.product.map(|product| shop.catalogue.products[product].id.as_str())),
                    Cell::Text(&session_id),
                    Cell::Text(session.device),
                    Cell::Number(event.dwell),
                ]);
            }
        }
    }

    fn push_touches(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        for (index, touch) in history.touches.iter().enumerate() {
            let campaign = &shop.campaigns[touch.campaign];
            let (channel, cost, _) = MARKETING[campaign.channel];
            let (kind, cost) = match touch.kind {
                TouchKind::Sent => ("sent", cost),
                TouchKind::Open => ("open", 0.0),
                TouchKind::Click => ("click", 0.0),
            };
            block.rows(&tables::TOUCHES).push([
                Cell::Text(&format!("t{number:07}-{:03}", index + 1)),
                Cell::Text(id),
                Cell::Time(shop.micros(touch.at)),
                Cell::Text(&campaign.id),
                Cell::Text(channel),
                Cell::Text(kind),
                Cell::Number(cost),
            ]);
        }
    }

    /// What brought him, known with his first purchase.
    fn push_arrival(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        let (latent, first) = (&history.latent, history.purchases.first());
        let Some(first) = first.filter(|first| first.recorded < shop.end) else { return };
        let (at, campaign, channel, cost) = match history.arrival {
            Arrival::Unknown => return,
            Arrival::Advertised { advertisement, clicked } => {
                let advertisement = &shop.advertisements[advertisement];
                (clicked, advertisement.id.as_str(), ADVERTISING[advertisement.channel].0, 0.0)
            }
            Arrival::Referred { by } => {
                block.rows(&tables::REFERRALS).push([
                    Cell::Text(&format!("r{number:07}")),
                    Cell::Text(&customer_id(by)),
                    Cell::Text(id),
                    Cell::Time(shop.micros(latent.acquired)),
                    Cell::Time(shop.micros(first.recorded)),
                ]);
                (latent.acquired, REFERRAL, REFERRAL, REFERRAL_REWARD)
            }
        };
        block.rows(&tables::TOUCHES).push([
            Cell::Text(&format!("t{number:07}-000")),
            Cell::Text(id),
            Cell::Time(shop.micros(at)),
            Cell::Text(campaign),
            Cell::Text(channel),
            Cell::Text("click"),
            Cell::Number(cost),
        ]);
    }

    fn push_feedback(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        for (index, answer) in history.answers.iter().enumerate().filter(|(_, answer)| answer.at < shop.end) {
            block.rows(&tables::FEEDBACK).push([
                Cell::Text(&format!("f{number:07}-{:03}", index + 1)),
                Cell::Text(id),
                Cell::Time(shop.micros(answer.at)),
                Cell::Text(answer.kind),
                Cell::Number(answer.score),
                Cell::text_or_null(answer.text.as_deref()),
            ]);
        }
    }

    fn push_loyalty(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        for (index, change) in history.loyalty.iter().enumerate().filter(|(_, change)| change.recorded < shop.end) {
            block.rows(&tables::LOYALTY).push([
                Cell::Text(&format!("l{number:07}-{:03}", index + 1)),
                Cell::Text(id),
                Cell::Time(shop.micros(change.at)),
                Cell::Time(shop.micros(change.recorded)),
                Cell::Number(change.points),
                Cell::text_or_null(change.tier),
            ]);
        }
    }

    fn push_assignments(&mut self, history: &History) {
        let Self { shop, block, number, id } = self;
        for (index, assignment) in history.assignments.iter().enumerate() {
            let campaign = &shop.campaigns[assignment.campaign];
            let assignment_id = format!("x{number:07}-{:03}", index + 1);
            let arm = if assignment.is_sent { "sent" } else { "holdout" };
            block.rows(&tables::ASSIGNMENTS).push([
                Cell::Text(&assignment_id),
                Cell::Text(id),
                Cell::Time(shop.micros(campaign.sent)),
                Cell::Text(&campaign.id),
                Cell::Text(arm),
            ]);
            let increment = increments::of_campaign(shop, history, campaign);
            block.rows(&tables::INCREMENTS).push([
                Cell::Text(&assignment_id),
                Cell::Text(id),
                Cell::Text(&campaign.id),
                Cell::Text(arm),
                Cell::Number(increment.orders),
                Cell::Number(increment.bought),
                Cell::Number(increment.value),
            ]);
        }
    }

    fn push_latent(&mut self, history: &History) {
        let Self { shop, block, id, .. } = self;
        let latent = &history.latent;
        let died = crate::shop::seconds(latent.died);
        let mixture: Vec<String> =
            shop.catalogue.tastes[latent.taste].categories.iter().map(|weight| format!("{weight:.4}")).collect();
        block.rows(&tables::LATENT).push([
            Cell::Text(id),
            Cell::Number(latent.purchase_rate),
            Cell::Number(latent.session_rate),
            if died < shop.end { Cell::Time(shop.micros(died)) } else { Cell::Null },
            Cell::Count(latent.taste as i64),
            Cell::Text(&format!("[{}]", mixture.join(","))),
            Cell::Number(CAMPAIGN_CLASSES[latent.class].multiplier),
        ]);
    }

    fn push_attainable(&mut self, attainable: &Attainable) {
        let Self { shop, block, id, .. } = self;
        let (as_of, horizon) = (shop.micros(shop.as_of), i64::from(shop.horizon_days));
        block.rows(&tables::ATTAINABLE).push([
            Cell::Text(id),
            Cell::Time(as_of),
            Cell::Count(horizon),
            Cell::Number(attainable.p_churn),
            Cell::Number(attainable.expected_value),
            Cell::Number(attainable.expected_orders),
        ]);
        for (rank, &(product, probability)) in (1..).zip(&attainable.next) {
            block.rows(&tables::ATTAINABLE_NEXT).push([
                Cell::Text(id),
                Cell::Time(as_of),
                Cell::Count(horizon),
                Cell::Count(rank),
                Cell::Text(&shop.catalogue.products[product].id),
                Cell::Number(probability),
            ]);
        }
    }
}
