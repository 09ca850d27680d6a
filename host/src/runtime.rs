//! Where selections run: a GPU, the emulator, or the host's cores.
use std::sync::Arc;

use crate::device::Gpu;
use crate::error::Error;
use crate::settings::{DeviceChoice, Settings};
use crate::tuned::TunedTables;

/// An open device, the tuned tables for it, and what the environment says of settings.
#[derive(Clone, Debug)]
pub struct Runtime {
    gpu: Option<Gpu>,
    device: DeviceChoice,
    settings: Settings,
    tuned: Arc<TunedTables>,
}

impl Runtime {
    /// The device that `AIKF_DEVICE` names; without it the first GPU, or the host's cores on a
    /// machine without one.
    ///
    /// # Errors
    /// [`Error::Setting`] for an illegal variable; [`Error::NoDevice`] where a named device is not
    /// there; [`Error::Driver`] where a driver is there but fails.
    pub fn new() -> Result<Runtime, Error> {
        let settings = Settings::from_env()?;
        Runtime::with_settings(settings.device.unwrap_or_default(), settings)
    }

    /// The named device, whatever the environment says of devices.
    ///
    /// # Errors
    /// As for [`Runtime::new`].
    pub fn open(device: DeviceChoice) -> Result<Runtime, Error> {
        Runtime::with_settings(device, Settings::from_env()?)
    }

    fn with_settings(device: DeviceChoice, settings: Settings) -> Result<Runtime, Error> {
        let demanded = |error: Error| match error {
            error if error.is_missing_device() => {
                Error::NoDevice { requested: device.to_string(), reason: error.to_string() }
            }
            other => other,
        };
        let (gpu, device) = match device {
            DeviceChoice::Cpu => (None, device),
            DeviceChoice::Cuda(number) => (Some(Gpu::open(number).map_err(demanded)?), device),
            DeviceChoice::Emulator => (Some(open_emulator()?), device),
            DeviceChoice::Auto => match Gpu::open(0) {
                Ok(gpu) => (Some(gpu), DeviceChoice::Cuda(0)),
                // No GPU is what `auto` is for; any other trouble would hide behind slowness.
                Err(error) if error.is_missing_device() => (None, DeviceChoice::Cpu),
                Err(error) => return Err(error),
            },
        };
        let tuned =
            gpu.as_ref().map(|gpu| TunedTables::load(settings.tuned.as_ref(), gpu.limits()));
        Ok(Runtime { gpu, device, settings, tuned: Arc::new(tuned.unwrap_or_default()) })
    }

    /// The same device with other tuned tables.
    pub fn with_tuned(self, tuned: TunedTables) -> Runtime {
        Runtime { tuned: Arc::new(tuned), ..self }
    }

    /// The GPU, or the emulator's; none on the host's cores.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// What was opened, never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.device
    }

    /// The tuned tables, which were read when the device was opened; none without a GPU.
    pub fn tuned(&self) -> &TunedTables {
        &self.tuned
    }

    /// What the environment says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(feature = "emulator")]
fn open_emulator() -> Result<Gpu, Error> {
    static KERNELS: &[&[simt::Kernel]] = &[kernels_gpu::variants::EMULATED];
    cuda_emulator::install(KERNELS).map_err(|error| Error::NoDevice {
        requested: DeviceChoice::Emulator.to_string(),
        reason: format!("{error}; a process has one driver, so use the emulator from the start"),
    })?;
    Gpu::open(0)
}

#[cfg(not(feature = "emulator"))]
fn open_emulator() -> Result<Gpu, Error> {
    Err(Error::NoDevice {
        requested: DeviceChoice::Emulator.to_string(),
        reason: "this build has no emulator; enable the cargo feature `emulator`".to_string(),
    })
}
