//! Today, for records.
use std::time::{SystemTime, UNIX_EPOCH};

/// Today's date in UTC, `yyyy-mm-dd`.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    of_day(since.as_secs() / 86_400)
}

/// The date of a day, counted from 1970-01-01.
fn of_day(day: u64) -> String {
    let divides = |number: u64, year: u64| year.is_multiple_of(number);
    let is_leap = |year| divides(4, year) && (!divides(100, year) || divides(400, year));
    let (mut year, mut left) = (1970, day);
    loop {
        let days = if is_leap(year) { 366 } else { 365 };
        if left < days {
            break;
        }
        left -= days;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let dates = [0, 31, 59, 11_016, 11_017, 20_779, 20_818].map(of_day);
        let right = [
            "1970-01-01",
            "1970-02-01",
            "1970-03-01",
            "2000-02-29",
            "2000-03-01",
            "2026-11-22",
            "2026-12-31",
        ];
        assert_eq!(dates, right);
    }
}
