//! A crate outside of this workspace that depends on this one, as a user has it.
//!
//! It sees none of the workspace's settings, so that a build which works by their accident is
//! found out here. Both ways of the README are built and run, offline: without features and without
//! any setting, and with `cust` and the one setting that takes. The crates lie in the system's
//! temporary folder; what cargo makes of them is kept with this workspace's own results.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

/// Selects on the host's cores, and says what became of the first GPU.
const PLAIN: &str = r#"
use aikf_topk::{DeviceChoice, Rows, Runtime, TopK};

fn main() -> Result<(), aikf_topk::Error> {
    let runtime = Runtime::open(DeviceChoice::Cpu)?;
    let scores = [0.5f32, 2.0, -1.0, 2.0, f32::NAN];
    let top = TopK::new(3).select(&runtime, Rows::new(&scores, 1, 5)?)?;
    println!("best: {:?}", top.indices);
    match Runtime::open(DeviceChoice::Cuda(0)) {
        Ok(runtime) => on_gpu(&runtime)?,
        Err(error) => println!("{error}"),
    }
    Ok(())
}
"#;

const ON_GPU_FROM_HOST: &str = r#"
fn on_gpu(runtime: &Runtime) -> Result<(), aikf_topk::Error> {
    let top = TopK::new(1).select(runtime, Rows::new(&[1.0f32, 3.0, 2.0], 1, 3)?)?;
    println!("on the GPU: {:?}", top.indices);
    Ok(())
}
"#;

/// Needs every conversion from `cust`, and every function of the driver that `cust` calls.
const ON_GPU_WITH_CUST: &str = r#"
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::stream::{Stream, StreamFlags};

fn on_gpu(runtime: &Runtime) -> Result<(), aikf_topk::Error> {
    let stream = Stream::new(StreamFlags::DEFAULT, None).expect("a stream");
    let scores = DeviceBuffer::from_slice(&[1.0f32, 3.0, 2.0]).expect("device memory");
    let mut values = DeviceBuffer::from_slice(&[0.0f32]).expect("device memory");
    let mut indices = DeviceBuffer::from_slice(&[0u32]).expect("device memory");
    let mut topk = TopK::new(1).prepare::<f32>(runtime, 1, 3)?;
    // SAFETY: the buffers live until the stream was waited for.
    unsafe { topk.enqueue(&scores, &mut values, &mut indices, &stream) }?;
    stream.synchronize().expect("the kernels ran");
    let mut first = [9];
    indices.copy_to(&mut first).expect("downloaded");
    println!("on the GPU: {first:?}");
    Ok(())
}
"#;

/// A crate in the system's temporary folder, removed when dropped.
struct OutsideCrate {
    folder: PathBuf,
}

impl Drop for OutsideCrate {
    fn drop(&mut self) {
        // A folder that stays behind in the system's temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl OutsideCrate {
    /// Writes a crate `name` with these `[dependencies]` and this `main.rs`, with the versions that
    /// the workspace has downloaded.
    fn new(name: &str, dependencies: &str, main: &str) -> OutsideCrate {
        let folder = env::temp_dir().join(format!("aikf-topk-{name}-{}", process::id()));
        let outside = OutsideCrate { folder };
        outside.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                 [dependencies]\n{dependencies}\n[workspace]\n"
            ),
        );
        outside.write("src/main.rs", main);
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        if let Ok(text) = fs::read_to_string(lock) {
            outside.write("Cargo.lock", &text);
        }
        outside
    }

    /// Writes a file of the crate.
    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("make a folder");
        fs::write(&path, text).expect("write a file of the outside crate");
    }

    /// Builds and runs the crate's program, without what the workspace told this process; what it
    /// printed.
    fn run(&self) -> String {
        let mut cargo = Command::new(env!("CARGO"));
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            let kept = ["CARGO_HOME", "AIKF_RUSTC", "AIKF_PTX"];
            let told = ["CARGO_", "CUDA_", "AIKF_"];
            if told.iter().any(|prefix| name.starts_with(prefix)) && !kept.contains(&&*name) {
                cargo.env_remove(&*name);
            }
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside_crate");
        cargo.current_dir(&self.folder).args(["run", "--offline"]);
        // Nobody debugs these programs, and debug information is half of the time that they take.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
        let output = cargo.env("CARGO_TARGET_DIR", target).output();
        let output = output.expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the outside crate failed:\n{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A line of `[dependencies]` for this crate.
fn this_crate(settings: &str) -> String {
    let path = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    format!("aikf-topk = {{ path = \"{path}\"{settings} }}")
}

/// Checks what a program printed against whether this machine has a GPU.
fn check_output(printed: &str) {
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("best: [4, 1, 3]"), "{printed}");
    let of_gpu = lines.next().expect(printed);
    let right = match aikf_topk::gpu_count() {
        Ok(1..) => of_gpu == "on the GPU: [1]",
        Err(error) if error.is_no_driver() => {
            of_gpu.starts_with("device cuda:0 is not available: ")
                && of_gpu.contains("no NVIDIA driver: libcuda")
        }
        // A driver without a GPU, or one too old, has words of its own for it.
        _ => true,
    };
    assert!(right, "{printed}");
}

#[test]
fn without_features_a_dependent_needs_no_settings() {
    let main = format!("{PLAIN}{ON_GPU_FROM_HOST}");
    let outside = OutsideCrate::new("plain", &this_crate(", default-features = false"), &main);
    check_output(&outside.run());
}

#[test]
fn with_cust_a_dependent_needs_an_empty_folder() {
    let main = format!("{PLAIN}{ON_GPU_WITH_CUST}");
    let dependencies = format!("{}\ncust = \"0.3.2\"", this_crate(""));
    let outside = OutsideCrate::new("with-cust", &dependencies, &main);
    outside.write("cuda/lib64/.gitkeep", "");
    outside.write(
        ".cargo/config.toml",
        "[env]\nCUDA_LIBRARY_PATH = { value = \"cuda\", relative = true }\n",
    );
    check_output(&outside.run());
}
