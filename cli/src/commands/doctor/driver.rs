//! The driver, its GPUs, and the kernels that each would load.
use std::path::PathBuf;

use aikf_topk::{DeviceChoice, kernel_ptx};
use cuda_loader::api::{self, DeviceAttribute, cuda_version, ptx_version};
use cuda_loader::{Device, DriverError, driver_name, provider};
use serde_json::Value;

use crate::error::exit;
use crate::output::findings::Finding;

const DRIVER: &str = "Driver";
const GPUS: &str = "GPUs";
const INSTALL: &str = "install the NVIDIA driver, or in a container start it with the host's GPUs";
const CHECK: &str = "see whether `nvidia-smi` works, and what CUDA_VISIBLE_DEVICES hides";

/// What there is.
pub struct Seen {
    /// What is to be said of it.
    pub findings: Vec<Finding>,
    /// The devices to try.
    pub devices: Vec<DeviceChoice>,
}

/// Looks at the driver and at the wanted GPUs: all of them for `auto`, which takes the CPU where
/// there is none.
pub fn examine(wanted: DeviceChoice) -> Seen {
    let count = match api::init().and_then(|()| api::device_count()) {
        Ok(count) => count.max(0) as u32,
        Err(error) if error.is_no_device() => 0,
        Err(error) => return without_driver(wanted, &error),
    };
    let mut findings = vec![of_driver()];
    let devices: Vec<DeviceChoice> = match wanted {
        DeviceChoice::Auto if count > 0 => (0..count).map(DeviceChoice::Cuda).collect(),
        DeviceChoice::Auto => vec![DeviceChoice::Cpu],
        named => vec![named],
    };
    if wanted == DeviceChoice::Auto && count == 0 {
        findings.push(Finding::warning(
            GPUS,
            "the driver shows no GPU; the CPU does the work",
            CHECK,
        ));
    }
    for &device in &devices {
        let of_device = match device {
            DeviceChoice::Cuda(number) => of_gpu(device, number, count),
            DeviceChoice::Emulator => of_gpu(device, 0, count),
            _ => vec![],
        };
        // `auto` takes the first; what another one lacks is no harm.
        let spare = wanted == DeviceChoice::Auto && device != DeviceChoice::Cuda(0);
        let harmless = |finding: Finding| if spare { finding.harmless() } else { finding };
        findings.extend(of_device.into_iter().map(harmless));
    }
    if devices.iter().any(|device| matches!(device, DeviceChoice::Cuda(_))) {
        findings.push(jit_cache(|name| std::env::var_os(name).map(PathBuf::from)));
    }
    Seen { findings, devices }
}

fn without_driver(wanted: DeviceChoice, error: &DriverError) -> Seen {
    let (text, remedy) = match provider::missing_reason() {
        Some(reason) => (format!("there is no NVIDIA driver here ({reason})"), INSTALL),
        None => (error.to_string(), CHECK),
    };
    // `auto` falls back where there is no driver, and nowhere else.
    let (finding, device) = match (wanted, error.is_no_driver()) {
        (DeviceChoice::Auto, true) => {
            let text = format!("{text}; the CPU does the work");
            (Finding::warning(DRIVER, text, remedy), DeviceChoice::Cpu)
        }
        (_, true) => (Finding::failure(DRIVER, exit::NO_DEVICE, text, remedy), wanted),
        (_, false) => (Finding::failure(DRIVER, exit::FAILED, text, remedy), wanted),
    };
    Seen { findings: vec![finding.fact("driver", Value::Null)], devices: vec![device] }
}

fn of_driver() -> Finding {
    let name = driver_name();
    match api::driver_version() {
        Ok(version) => {
            let version = cuda_version(version);
            Finding::ok(DRIVER, format!("{name}, which supports CUDA {version}"))
                .fact("driver", name)
                .fact("cuda_version", version)
        }
        Err(error) => Finding::failure(DRIVER, exit::FAILED, error.to_string(), CHECK),
    }
}

/// A GPU and its kernels.
fn of_gpu(device: DeviceChoice, number: u32, count: u32) -> Vec<Finding> {
    if number >= count {
        let text = format!("there is no GPU {device}: the driver shows {count}");
        return vec![Finding::failure(GPUS, exit::NO_DEVICE, text, CHECK)];
    }
    let looked_at = api::device_get(number as i32)
        .and_then(|gpu| Ok((numbers(device, gpu)?, compute_capability(gpu)?)));
    match looked_at {
        Ok((finding, capability)) => vec![finding, of_kernels(device, capability)],
        Err(error) => {
            let text = format!("{device}: {error}");
            vec![Finding::failure(GPUS, exit::FAILED, text, CHECK)]
        }
    }
}

fn compute_capability(gpu: Device) -> Result<u32, DriverError> {
    let major = api::device_attribute(gpu, DeviceAttribute::COMPUTE_CAPABILITY_MAJOR)?;
    let minor = api::device_attribute(gpu, DeviceAttribute::COMPUTE_CAPABILITY_MINOR)?;
    Ok((10 * major + minor).max(0) as u32)
}

fn numbers(device: DeviceChoice, gpu: Device) -> Result<Finding, DriverError> {
    let name = api::device_name(gpu)?;
    let capability = compute_capability(gpu)?;
    let capability = format!("{}.{}", capability / 10, capability % 10);
    let memory = api::device_total_memory(gpu)?;
    let multiprocessors = api::device_attribute(gpu, DeviceAttribute::MULTIPROCESSOR_COUNT)?;
    let shared = DeviceAttribute::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    let shared = api::device_attribute(gpu, shared)?;
    let text = format!(
        "{device} is {name}: compute capability {capability}, {:.1} GiB of memory, \
         {multiprocessors} multiprocessors, {} KiB of shared memory a block",
        memory as f64 / f64::from(1 << 30),
        shared / 1024,
    );
    Ok(Finding::ok(GPUS, text)
        .fact("device", device.to_string())
        .fact("name", name)
        .fact("compute_capability", capability)
        .fact("memory_bytes", memory)
        .fact("multiprocessors", multiprocessors)
        .fact("shared_bytes_max", shared))
}

/// The kernels that a GPU of this compute capability would load, and whether the driver can.
fn of_kernels(device: DeviceChoice, capability: u32) -> Finding {
    let Some((generation, ptx)) = kernel_ptx(capability) else {
        let text = format!("{device} is too old: compute capability 7.5 is needed at least");
        return Finding::failure(GPUS, exit::NO_DEVICE, text, "take another GPU, or --device cpu");
    };
    let isa = ptx_version(ptx).unwrap_or("unknown");
    let finding = match (cuda_needed(isa), api::driver_version()) {
        (Some(needed), Ok(driver)) if driver < needed => {
            let (needed, driver) = (cuda_version(needed), cuda_version(driver));
            let text = format!(
                "{device} would load kernels of PTX ISA {isa}, which needs CUDA {needed}; the \
                 driver supports {driver}"
            );
            Finding::failure(GPUS, exit::FAILED, text, "update the NVIDIA driver")
        }
        _ if generation == capability => Finding::ok(
            GPUS,
            format!("{device} loads the kernels for sm_{generation}, PTX ISA {isa}"),
        ),
        _ => {
            let text = format!(
                "{device} loads the kernels for sm_{generation}, PTX ISA {isa}; there are none \
                 made for sm_{capability}, and the driver adapts these"
            );
            Finding::ok(GPUS, text)
        }
    };
    finding.fact("device", device.to_string()).fact("ptx", generation).fact("ptx_isa", isa)
}

/// The CUDA version that came with a PTX ISA, as drivers count: 12000 for ISA 8.0. From 6.3 on ISA
/// `m.n` came with CUDA `m + 4.n`, a few of the last a minor version later.
fn cuda_needed(isa: &str) -> Option<i32> {
    let (major, minor) = isa.split_once('.')?;
    let (major, minor): (i32, i32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(1000 * (major + 4) + 10 * minor)
}

/// Where the driver keeps what it compiled the kernels to.
fn jit_cache(variable: impl Fn(&str) -> Option<PathBuf>) -> Finding {
    let section = "JIT cache";
    if variable("CUDA_CACHE_DISABLE").is_some_and(|value| value.as_os_str() == "1") {
        let text = "CUDA_CACHE_DISABLE=1: every process compiles its kernels anew";
        return Finding::warning(section, text, "unset CUDA_CACHE_DISABLE")
            .fact("folder", Value::Null);
    }
    let folder = variable("CUDA_CACHE_PATH")
        .or_else(|| Some(variable("HOME")?.join(".nv").join("ComputeCache")));
    let Some(folder) = folder else {
        let text = "the driver has no folder to keep compiled kernels in: HOME is not set";
        return Finding::warning(section, text, "set HOME, or CUDA_CACHE_PATH to a folder")
            .fact("folder", Value::Null);
    };
    let shown = folder.display().to_string();
    let size = variable("CUDA_CACHE_MAXSIZE").map(|size| size.display().to_string());
    let most = size.as_ref().map_or(String::new(), |size| format!(", {size} bytes at most"));
    let finding = match folder.metadata().map(|metadata| metadata.permissions().readonly()) {
        Ok(true) => {
            let text =
                format!("{shown} cannot be written: every process compiles its kernels anew");
            Finding::warning(
                section,
                text,
                "make it writable, or set CUDA_CACHE_PATH to a folder that is",
            )
        }
        Ok(false) => {
            Finding::ok(section, format!("the driver keeps compiled kernels in {shown}{most}"))
        }
        Err(_) => {
            let text = format!("the driver will keep compiled kernels in {shown}{most}");
            Finding::ok(section, text)
        }
    };
    finding.fact("folder", shown).fact("bytes_max", size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::findings::Status;

    #[test]
    fn what_an_isa_needs() {
        assert_eq!(cuda_needed("8.0"), Some(12000));
        assert_eq!(cuda_needed("7.8"), Some(11080));
        assert_eq!(cuda_needed("new"), None);
    }

    #[test]
    fn an_old_gpu_is_a_failure_and_a_new_one_is_not() {
        assert_eq!(of_kernels(DeviceChoice::Cuda(0), 70).exit_code, exit::NO_DEVICE);
        let text = of_kernels(DeviceChoice::Cuda(0), 120).text;
        assert!(text.contains("none made for sm_120"), "{text}");
    }

    #[test]
    fn the_cache_follows_its_variables() {
        let with = |pairs: &'static [(&str, &str)]| {
            jit_cache(|name| Some(pairs.iter().find(|(key, _)| *key == name)?.1.into()))
        };
        assert_eq!(with(&[]).status, Status::Warning);
        assert_eq!(with(&[("CUDA_CACHE_DISABLE", "1")]).status, Status::Warning);
        let home = with(&[("HOME", "none"), ("CUDA_CACHE_MAXSIZE", "99")]);
        assert_eq!(home.facts["folder"], "none/.nv/ComputeCache");
        assert!(home.text.ends_with("ComputeCache, 99 bytes at most"), "{}", home.text);
        assert_eq!(with(&[("CUDA_CACHE_PATH", "cache")]).facts["folder"], "cache");
    }
}
