//! Measurements of backends, the first of which the others are compared with.
use std::io::Write;

use serde::Serialize;

use super::{Format, buffered, json_line, table};
use crate::error::Error;

/// One backend's measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The backend.
    pub backend: &'static str,
    /// Where it ran.
    pub device: String,
    /// The time that half of the samples do not exceed, in microseconds.
    pub median_us: f64,
    /// The time that a tenth of the samples do not exceed.
    pub p10_us: f64,
    /// The time that nine tenths of the samples do not exceed.
    pub p90_us: f64,
    /// Bytes of input and answer over the median, in 10^9 a second.
    pub gb_per_s: f64,
    /// How many times as fast as the first.
    pub speedup: f64,
    /// Samples taken.
    pub samples: usize,
    /// Whether the answer is that of the reference, bit for bit.
    pub ok: bool,
}

const COLUMNS: [&str; 9] =
    ["backend", "device", "answer", "median", "p10", "p90", "GB/s", "speed", "samples"];

/// Prints them.
pub fn print(format: Format, measurements: &[Measurement]) -> Result<(), Error> {
    buffered(|out| match format {
        Format::Table => as_table(out, measurements),
        Format::Json => measurements.iter().try_for_each(|m| json_line(out, m)),
        Format::Csv => as_csv(out, measurements),
    })
}

fn as_table(out: &mut impl Write, measurements: &[Measurement]) -> Result<(), Error> {
    let mut table = table(&COLUMNS, 3);
    for m in measurements {
        table.add_row([
            m.backend.to_string(),
            m.device.clone(),
            if m.ok { "ok" } else { "WRONG" }.to_string(),
            time(m.median_us),
            time(m.p10_us),
            time(m.p90_us),
            digits(m.gb_per_s),
            format!("{}x", digits(m.speedup)),
            m.samples.to_string(),
        ]);
    }
    Ok(writeln!(out, "{table}")?)
}

fn as_csv(out: &mut impl Write, measurements: &[Measurement]) -> Result<(), Error> {
    writeln!(out, "backend,device,median_us,p10_us,p90_us,gb_per_s,speedup,samples,ok")?;
    for m in measurements {
        let Measurement {
            backend,
            device,
            median_us,
            p10_us,
            p90_us,
            gb_per_s,
            speedup,
            samples,
            ok,
        } = m;
        let device = quoted(device);
        write!(out, "{backend},{device},{median_us:.3},{p10_us:.3},{p90_us:.3},")?;
        writeln!(out, "{gb_per_s:.3},{speedup:.3},{samples},{ok}")?;
    }
    Ok(())
}

/// A number with two places, or with three digits where that would leave too few.
fn digits(value: f64) -> String {
    let zeros = (-value.log10()).floor().clamp(0.0, 4.0) as usize;
    format!("{value:.*}", 2 + zeros)
}

/// A time with two places, in the unit that suits it.
fn time(microseconds: f64) -> String {
    match microseconds {
        us if us < 1e3 => format!("{us:.2} us"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A field of CSV: in quotes where it has a comma, a quote or a line's end (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fitting_units() {
        assert_eq!(time(12.345), "12.35 us");
        assert_eq!(time(1234.5), "1.23 ms");
        assert_eq!(time(2_500_000.0), "2.50 s");
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(digits(4811.123), "4811.12");
        assert_eq!(digits(1.0), "1.00");
        assert_eq!(digits(0.0123456), "0.012");
        assert_eq!(digits(0.0), "0.000000");
    }

    #[test]
    fn fields_of_csv() {
        assert_eq!(quoted("NVIDIA H200"), "NVIDIA H200");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
