//! What was measured: a table for people, JSON for programs.
use std::fmt;

use serde::Serialize;

use crate::gpu::Time;

/// One constant.
#[derive(Clone, Debug, Serialize)]
pub struct Constant {
    /// The group it belongs to.
    pub group: &'static str,
    /// What was timed.
    pub name: String,
    /// Under which circumstances.
    pub setting: String,
    /// `ns` or `us`.
    pub unit: &'static str,
    /// The median over replays.
    pub median: f64,
    /// Of the fastest replays.
    pub least: f64,
    /// 10^9 bytes a second, of reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gb_per_s: Option<f64>,
}

impl Constant {
    /// A time in microseconds.
    pub fn us(group: &'static str, name: &str, setting: &str, time: Time) -> Constant {
        let (name, setting) = (name.to_string(), setting.to_string());
        let (median, least) = (time.median_us, time.least_us);
        Constant { group, name, setting, unit: "us", median, least, gb_per_s: None }
    }

    /// A time that is in nanoseconds already.
    pub fn ns(group: &'static str, name: &str, setting: &str, time: Time) -> Constant {
        Constant { unit: "ns", ..Constant::us(group, name, setting, time) }
    }

    /// The same, of a read of so many bytes.
    pub fn of_bytes(self, bytes: u64) -> Constant {
        // Where a clock is too coarse for the time there is no speed.
        let speed = bytes as f64 / (self.median * 1e3);
        Constant { gb_per_s: Some(speed).filter(|speed| speed.is_finite()), ..self }
    }
}

/// All constants of a GPU.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The form of the JSON.
    pub schema: u32,
    /// The GPU.
    pub device: String,
    /// The CUDA version that its driver supports.
    pub cuda_version: String,
    /// Where the kernels come from.
    pub kernels: &'static str,
    /// What was measured.
    pub constants: Vec<Constant>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { device, cuda_version, kernels, .. } = self;
        writeln!(f, "{device}, CUDA {cuda_version}, kernels {kernels}")?;
        let mut group = "";
        for constant in &self.constants {
            if constant.group != group {
                group = constant.group;
                writeln!(f, "\n{group}")?;
            }
            let Constant { name, setting, unit, median, least, gb_per_s, .. } = constant;
            write!(f, "  {name:34} {setting:36} {median:9.3} {unit} (least {least:.3})")?;
            match gb_per_s {
                Some(speed) => writeln!(f, " {speed:8.1} GB/s")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
