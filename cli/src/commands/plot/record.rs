//! Measurements as `topk bench`, `topk compare` and `bench/compare_torch.py` write them.
use std::path::Path;

use aikf_topk::Dtype;
use serde::Deserialize;
use topk_bench::report::check_head;

use crate::error::Error;

const MAKE_ONE: &str = "make one with `topk compare --format json --output FILE`";

/// A file of measurements. Fields that are not here do not matter.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// What was measured.
    pub device: String,
    /// Its copy bandwidth, in 10^9 bytes a second, where it was measured.
    pub copy_gbs: Option<f64>,
    /// When.
    pub date: String,
    /// The measurements.
    pub rows: Vec<Measured>,
}

/// One measurement.
#[derive(Clone, Debug, Deserialize)]
pub struct Measured {
    /// Rows of the problem.
    pub rows: u64,
    /// Elements in a row.
    pub n: u64,
    /// Elements wanted of a row.
    pub k: u64,
    /// Their type.
    pub dtype: String,
    /// Who was asked to do it.
    pub backend: String,
    /// Who did it, where that is said: another one for `auto`.
    pub ran: Option<String>,
    /// How it was timed.
    pub mode: String,
    /// Microseconds that half of the calls did not exceed.
    pub median_us: f64,
    /// Microseconds that a tenth of them did not exceed.
    pub p10_us: f64,
    /// Microseconds that nine tenths of them did not exceed.
    pub p90_us: f64,
    /// 10^9 bytes a second.
    pub gbs: f64,
    /// Whether the answer was right.
    pub verified: bool,
}

impl Record {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Record, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|reason| Error::File { path: path.to_path_buf(), reason })?;
        Record::parse(&text).map_err(|reason| Error::Malformed {
            path: path.to_path_buf(),
            kind: "measurements",
            reason: format!("{reason}; {MAKE_ONE}"),
        })
    }

    fn parse(text: &str) -> Result<Record, String> {
        check_head(text)?;
        let record: Record = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(gbs) = record.copy_gbs.filter(|gbs| !positive(*gbs)) {
            return Err(format!("copy_gbs is {gbs}, and it must be above 0, or null"));
        }
        if record.rows.is_empty() {
            return Err("it has no measurements: its list `rows` is empty".to_string());
        }
        record.rows.iter().enumerate().try_for_each(|(at, row)| row.check(at))?;
        Ok(record)
    }
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl Measured {
    /// The same under the name of who did it.
    pub fn under_who_ran(mut self) -> Measured {
        self.backend = self.ran.take().unwrap_or(self.backend);
        self
    }

    /// Bytes of the rows and of the answer.
    pub fn bytes(&self) -> f64 {
        let element = dtype(&self.dtype).map_or(0, Dtype::bytes) as f64;
        let of_row = self.n as f64 * element + self.k as f64 * (element + size_of::<u32>() as f64);
        self.rows as f64 * of_row
    }

    fn check(&self, at: usize) -> Result<(), String> {
        let wrong = |field: &str, value: &dyn std::fmt::Display, legal: &str| {
            Err(format!("rows[{at}].{field} is {value}, and it must be {legal}"))
        };
        if dtype(&self.dtype).is_none() {
            let names = Dtype::ALL.map(Dtype::name).join(", ");
            return wrong("dtype", &self.dtype, &format!("one of {names}"));
        }
        for (field, value) in [("rows", self.rows), ("n", self.n), ("k", self.k)] {
            if value == 0 || value > 1 << 40 {
                return wrong(field, &value, "at least 1, and at most 2^40");
            }
        }
        let times = [("median_us", self.median_us), ("p10_us", self.p10_us)];
        for (field, value) in times.into_iter().chain([("p90_us", self.p90_us), ("gbs", self.gbs)])
        {
            if !positive(value) {
                return wrong(field, &value, "above 0");
            }
        }
        Ok(())
    }
}

fn dtype(name: &str) -> Option<Dtype> {
    Dtype::ALL.into_iter().find(|dtype| dtype.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"rows":2,"n":1000,"k":50,"dtype":"bf16","backend":"stream",
        "mode":"graph-cold","median_us":5.0,"p10_us":4.0,"p90_us":6.0,"gbs":1.0,"of_copy":0.1,
        "verified":true,"extra":[]}"#;

    fn text(copy_gbs: &str, row: &str) -> String {
        format!(r#"{{"schema":1,"device":"D","date":"now","copy_gbs":{copy_gbs},"rows":[{row}]}}"#)
    }

    #[test]
    fn unknown_fields_do_not_matter() {
        let record = Record::parse(&text("null", ROW)).unwrap();
        assert_eq!(record.rows[0].bytes(), 2.0 * (2000.0 + 50.0 * 6.0));
        let large =
            ROW.replace("\"rows\":2,\"n\":1000", "\"rows\":1099511627776,\"n\":1099511627776");
        let record = Record::parse(&text("null", &large)).unwrap();
        assert!(record.rows[0].bytes() > 1e24, "more than 64 bits can count");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |copy_gbs: &str, row: &str| Record::parse(&text(copy_gbs, row)).unwrap_err();
        assert!(error("0", ROW).starts_with("copy_gbs is 0"));
        assert!(error("1", "").contains("`rows` is empty"));
        let of_row = |from: &str, to: &str| error("1", &ROW.replace(from, to));
        assert_eq!(of_row("6.0", "-6"), "rows[0].p90_us is -6, and it must be above 0");
        assert!(of_row("bf16", "f64").contains("rows[0].dtype is f64, and it must be one of f32"));
        assert!(of_row("\"k\":50", "\"k\":0").contains("rows[0].k is 0"));
        assert!(of_row("\"k\":50,", "").contains("missing field `k` at line"));
        let other = text("1", ROW).replace("\"schema\":1", "\"schema\":9");
        assert!(Record::parse(&other).unwrap_err().contains("it has schema 9"));
    }
}
