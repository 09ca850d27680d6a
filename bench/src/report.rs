//! Measurements as JSON: what `topk compare`, `topk bench` and `bench/compare_torch.py` write, and
//! what plots, records and `--baseline` read.
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::workload::Workload;

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// What a file says of itself.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    /// What was measured; selections, where nothing is said.
    what: Option<String>,
}

/// Whether a text has times of selections in this format; if not, what it has.
///
/// # Errors
/// A sentence.
pub fn check_head(text: &str) -> Result<(), String> {
    let Head { schema, what } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if schema != SCHEMA {
        return Err(format!("it has schema {schema}, and {SCHEMA} is read"));
    }
    match what.as_deref() {
        None | Some("select") => Ok(()),
        Some("sample") => Err("it has times of draws (`what` is \"sample\"), and those of \
                               selections are read"
            .to_string()),
        Some(other) => Err(format!("`what` is {other:?}, and times of selections are read")),
    }
}

/// Measurements of one run on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The device's name.
    pub device: String,
    /// What a copy within its memory reads and writes, in 10^9 bytes a second, where that was
    /// measured.
    pub copy_gbs: Option<f64>,
    /// The day, `yyyy-mm-dd`.
    pub date: String,
    /// The measurements.
    pub rows: Vec<Row>,
}

/// One backend's measurement of one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Rows.
    pub rows: usize,
    /// Elements a row.
    pub n: usize,
    /// Wanted elements a row.
    pub k: usize,
    /// The elements' type.
    pub dtype: String,
    /// The backend that was asked for.
    pub backend: String,
    /// The backend that did it: another one for `auto`.
    pub ran: String,
    /// How it was measured: `graph-cold`, `graph-warm`, `eager` or `cpu`.
    pub mode: String,
    /// Whether inputs came from memory rather than from caches.
    pub cold: bool,
    /// The time that half of the samples do not exceed, in microseconds.
    pub median_us: f64,
    /// The time that a tenth of the samples do not exceed.
    pub p10_us: f64,
    /// The time that nine tenths of the samples do not exceed.
    pub p90_us: f64,
    /// Bytes of rows and answer over the median, in 10^9 a second.
    pub gbs: f64,
    /// The same as a share of [`Report::copy_gbs`].
    pub of_copy: Option<f64>,
    /// How many times as fast as backend `torch`, where that was measured.
    pub vs_torch: Option<f64>,
    /// Whether it is the fastest of its workload.
    pub best: bool,
    /// Samples taken.
    pub samples: usize,
    /// Whether the answer is that of the reference.
    pub verified: bool,
}

impl Row {
    /// The workload's name, as [`Workload`] shows it.
    pub fn workload(&self) -> String {
        let Row { rows, n, k, dtype, .. } = self;
        format!("{rows}x{n}:{k}:{dtype}")
    }

    fn is_of(&self, workload: &Workload) -> bool {
        self.workload() == workload.to_string()
    }

    /// What makes two measurements comparable.
    fn key(&self) -> (String, &str, &str, bool) {
        (self.workload(), &self.backend, &self.mode, self.cold)
    }
}

impl Report {
    /// Compares the rows of a workload with one another, and says which is best.
    pub fn rank(&mut self, workload: &Workload) {
        let of = |row: &&Row| row.is_of(workload);
        let least = self.rows.iter().filter(of).map(|row| row.median_us).reduce(f64::min);
        let torch = self.rows.iter().filter(of).find(|row| row.backend == "torch");
        let torch_us = torch.map(|row| row.median_us);
        for row in self.rows.iter_mut().filter(|row| row.is_of(workload)) {
            row.best = Some(row.median_us) == least;
            row.vs_torch = torch_us.map(|us| us / row.median_us);
        }
    }

    /// A sentence for each workload for which `auto` takes more than `percent` longer than the best
    /// of the backends of ours that were measured beside it; and how many workloads have both.
    pub fn auto_slower_than(&self, percent: f64) -> (Vec<String>, usize) {
        let is_ours = |row: &&Row| !["auto", "cpu", "torch"].contains(&row.backend.as_str());
        let autos = self.rows.iter().filter(|row| row.backend == "auto");
        let pairs: Vec<(&Row, &Row)> = autos
            .filter_map(|auto| {
                let others = self.rows.iter().filter(is_ours);
                let rivals = others
                    .filter(|row| (row.workload(), &row.mode) == (auto.workload(), &auto.mode));
                Some((auto, rivals.min_by(|a, b| a.median_us.total_cmp(&b.median_us))?))
            })
            .collect();
        let slower = pairs.iter().filter_map(|(auto, best)| {
            let more = (auto.median_us / best.median_us - 1.0) * 100.0;
            (more > percent).then(|| {
                let (name, us, ran) = (auto.workload(), auto.median_us, &auto.ran);
                let (best, best_us) = (&best.backend, best.median_us);
                format!("{name}: {ran} {us:.2} us, {more:.1} % more than {best} {best_us:.2} us")
            })
        });
        (slower.collect(), pairs.len())
    }

    /// Whether every answer was right.
    pub fn is_verified(&self) -> bool {
        self.rows.iter().all(|row| row.verified)
    }

    /// The report in JSON, a line a row, so that two of them can be told apart line by line.
    pub fn to_json(&self) -> String {
        let Report { schema, device, copy_gbs, date, rows } = self;
        let of_row = |row: &Row| serde_json::to_string(row).expect("a row is plain data");
        let rows: Vec<String> = rows.iter().map(of_row).collect();
        let (device, copy_gbs) = (serde_json::json!(device), serde_json::json!(copy_gbs));
        let date = serde_json::json!(date);
        format!(
            "{{\n\"schema\": {schema},\n\"device\": {device},\n\"copy_gbs\": {copy_gbs},\n\
             \"date\": {date},\n\"rows\": [\n{}\n]\n}}\n",
            rows.join(",\n")
        )
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::Malformed`] for what is no report of this schema.
    pub fn read(path: &Path) -> Result<Report, Error> {
        let text = fs::read_to_string(path).map_err(|reason| Error::File {
            verb: "read",
            path: path.to_path_buf(),
            reason,
        })?;
        let malformed =
            |reason: String| Error::Malformed { name: path.display().to_string(), reason };
        check_head(&text).map_err(malformed)?;
        serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))
    }

    /// Compares with an earlier report: a sentence for each row that takes more than `percent`
    /// longer, and how many rows both have.
    pub fn slower_than(&self, baseline: &Report, percent: f64) -> (Vec<String>, usize) {
        let pairs: Vec<(&Row, &Row)> = self
            .rows
            .iter()
            .filter_map(|row| Some((row, baseline.rows.iter().find(|b| b.key() == row.key())?)))
            .collect();
        let slower = pairs.iter().filter_map(|(row, before)| {
            let more = (row.median_us / before.median_us - 1.0) * 100.0;
            (more > percent).then(|| {
                let (name, backend, mode) = (row.workload(), &row.backend, &row.mode);
                let (now, then) = (row.median_us, before.median_us);
                format!("{name} {backend} {mode}: {now:.2} us, {more:.1} % more than {then:.2} us")
            })
        });
        (slower.collect(), pairs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(backend: &str, median_us: f64) -> Row {
        Row {
            rows: 1,
            n: 50_000,
            k: 50,
            dtype: "f32".into(),
            backend: backend.into(),
            ran: backend.into(),
            mode: "graph-cold".into(),
            cold: true,
            median_us,
            p10_us: median_us,
            p90_us: median_us,
            gbs: 1.0,
            of_copy: None,
            vs_torch: None,
            best: false,
            samples: 3,
            verified: true,
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        Report { schema: SCHEMA, device: "a".into(), copy_gbs: None, date: "b".into(), rows }
    }

    #[test]
    fn rows_of_a_workload_are_ranked() {
        let mut report = report(vec![row("torch", 8.0), row("stream", 2.0), row("radix", 4.0)]);
        report.rows.push(Row { k: 51, ..row("stream", 1.0) });
        report.rank(&"1x50000:50:f32".parse().unwrap());
        let best: Vec<bool> = report.rows.iter().map(|row| row.best).collect();
        assert_eq!(best, [false, true, false, false]);
        let speed: Vec<Option<f64>> = report.rows.iter().map(|row| row.vs_torch).collect();
        assert_eq!(speed, [Some(1.0), Some(4.0), Some(2.0), None]);
    }

    #[test]
    fn slower_rows_are_named() {
        let before = report(vec![row("stream", 10.0), row("radix", 10.0)]);
        let now = report(vec![row("stream", 10.4), row("radix", 11.0), row("cpu", 99.0)]);
        let (slower, compared) = now.slower_than(&before, 5.0);
        assert_eq!(compared, 2);
        let told = "1x50000:50:f32 radix graph-cold: 11.00 us, 10.0 % more than 10.00 us";
        assert_eq!(slower, [told]);
        assert_eq!(now.slower_than(&before, 10.5).0, [""; 0]);
    }

    #[test]
    fn auto_is_compared_with_the_best_of_ours() {
        let auto = Row { ran: "radix".into(), ..row("auto", 10.8) };
        let rows = vec![row("stream", 10.0), auto, row("radix", 12.0), row("torch", 1.0)];
        let told = "1x50000:50:f32: radix 10.80 us, 8.0 % more than stream 10.00 us";
        assert_eq!(report(rows.clone()).auto_slower_than(5.0), (vec![told.to_string()], 1));
        assert_eq!(report(rows).auto_slower_than(9.0), (vec![], 1));
        assert_eq!(report(vec![row("auto", 9.0)]).auto_slower_than(5.0), (vec![], 0));
    }

    #[test]
    fn a_report_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let report = report(vec![row("stream", 10.0)]);
        fs::write(&path, report.to_json()).unwrap();
        assert_eq!(Report::read(&path).unwrap(), report);
        fs::write(&path, Report { schema: 2, ..report }.to_json()).unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("schema 2"));
        assert!(matches!(Report::read(folder.path()), Err(Error::File { .. })));
    }

    /// The file is what the script writes of times that are made up: `capi/tests/c.rs` compares.
    #[test]
    fn reports_of_compare_torch_are_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/compare_torch.json");
        let report = Report::read(Path::new(path)).unwrap();
        let of = |row: &Row| (row.workload(), row.backend.clone(), row.ran.clone(), row.best);
        let (torch, auto) = (of(&report.rows[0]), of(&report.rows[1]));
        assert_eq!(torch, ("8x1000:50:bf16".into(), "torch".into(), "torch".into(), false));
        assert_eq!(auto, ("8x1000:50:bf16".into(), "auto".into(), "streaming".into(), true));
        assert_eq!((report.rows[0].samples, report.rows[1].vs_torch), (3, Some(4.0)));
        assert_eq!(report.rows.iter().map(|row| row.cold).collect::<Vec<_>>(), [true, true, false]);
        let workload: Workload = report.rows[1].workload().parse().unwrap();
        let gbs = workload.bytes_in_all() as f64 / (report.rows[1].median_us * 1e3);
        assert!((report.rows[1].gbs - gbs).abs() < 0.1, "{gbs}");
        assert_eq!(report.slower_than(&report, 5.0), (vec![], 3));
    }

    #[test]
    fn draws_are_called_so() {
        let text = |what: &str| format!("{{\"schema\": 1, \"what\": \"{what}\"}}");
        assert_eq!(check_head(&text("select")), Ok(()));
        assert!(check_head(&text("sample")).unwrap_err().contains("times of draws"));
        assert!(check_head(&text("x")).unwrap_err().starts_with("`what` is \"x\""));
    }
}
