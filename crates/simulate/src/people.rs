//! Names, addresses and their dirt. Nothing here depends on how a customer behaves.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rand::Rng;

use crate::draw::chance;
use crate::parameters::*;

/// One line of `customers.csv` from `name` to `city`: name, email, phone, birth date, gender, country, city.
pub(crate) fn person(index: u64, today: DateTime<Utc>, rng: &mut impl Rng) -> String {
    let (first, last) = (FIRST[rng.random_range(0..FIRST.len())], LAST[rng.random_range(0..LAST.len())]);
    let (country, cities) = COUNTRIES[rng.random_range(0..COUNTRIES.len())];
    let city = cities[rng.random_range(0..cities.len())];
    let email = if chance(BLANK_EMAIL, rng) {
        String::new()
    } else {
        let host = HOSTS[rng.random_range(0..HOSTS.len())];
        format!("{}.{}{index}@{host}", first.to_lowercase(), last.to_lowercase())
    };
    let phone = format!("+{}{}", rng.random_range(30..50), rng.random_range(100_000_000..999_999_999_u64));
    let gender = ["f", "m", ""][crate::draw::index([0.5, 0.42, 0.08].into_iter(), rng)];
    let born = birth_date(today, rng);
    let (name, country, city) =
        (padded(format!("{first} {last}"), rng), odd_case(country, rng), padded(city.into(), rng));
    format!("{name},{email},{phone},{born},{gender},{country},{city}")
}

const FIRST: [&str; 24] = [
    "Ada", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Karla", "Leo", "Marie",
    "Noah", "Olga", "Paul", "Rosa", "Samuel", "Tilda", "Umar", "Vera", "Willem", "Yara", "Zeno",
];
const LAST: [&str; 24] = [
    "Abel", "Bauer", "Conti", "Dubois", "Egger", "Fischer", "Garcia", "Hansen", "Ivanov", "Jansen", "Keller", "Lopez",
    "Moreau", "Novak", "Olsen", "Peeters", "Rossi", "Schmidt", "Tanaka", "Urban", "Vogel", "Weber", "Young", "Zimmer",
];
const HOSTS: [&str; 4] = ["example.com", "example.org", "example.net", "mail.example"];
const COUNTRIES: [(&str, [&str; 4]); 6] = [
    ("Germany", ["Berlin", "Hamburg", "Leipzig", "Munich"]),
    ("France", ["Lille", "Lyon", "Nantes", "Paris"]),
    ("Italy", ["Bologna", "Milan", "Rome", "Turin"]),
    ("Netherlands", ["Amsterdam", "Eindhoven", "Rotterdam", "Utrecht"]),
    ("Spain", ["Bilbao", "Madrid", "Seville", "Valencia"]),
    ("Austria", ["Graz", "Innsbruck", "Salzburg", "Vienna"]),
];
/// Dates that no calendar has, as forms let them through.
const BROKEN_DATES: [&str; 4] = ["1990-13-45", "31/02/1988", "0000-00-00", "unknown"];

fn birth_date(today: DateTime<Utc>, rng: &mut impl Rng) -> String {
    if chance(BROKEN_BIRTH_DATE, rng) {
        return BROKEN_DATES[rng.random_range(0..BROKEN_DATES.len())].into();
    }
    let born: NaiveDate = (today - TimeDelta::days(rng.random_range(18 * 365..80 * 365))).date_naive();
    born.to_string()
}

fn odd_case(text: &str, rng: &mut impl Rng) -> String {
    match (chance(ODD_CASE, rng), chance(0.5, rng)) {
        (false, _) => text.into(),
        (true, false) => text.to_lowercase(),
        (true, true) => text.to_uppercase(),
    }
}

fn padded(text: String, rng: &mut impl Rng) -> String {
    if chance(PADDED, rng) { format!("  {text} ") } else { text }
}
