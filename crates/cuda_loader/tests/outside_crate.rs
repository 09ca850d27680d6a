//! A crate outside of this workspace, as a user of this crate has it.
//!
//! Such a crate sees none of the workspace's settings, so this is where a build that works by
//! accident of a workspace's `.cargo/config.toml` is found out. Each test writes a small crate
//! to a temporary folder, builds it offline, and runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// What a machine without a driver makes both programs print.
const NO_DRIVER: &str = "no NVIDIA driver: libcuda.so.1 could not be loaded";

/// A crate in a temporary folder, removed when dropped.
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
    /// Writes a crate `name` with these `[dependencies]` and this `main.rs`.
    fn new(name: &str, dependencies: &str, main: &str) -> OutsideCrate {
        let folder = env::temp_dir().join(format!("aikf-{name}-{}", std::process::id()));
        let outside = OutsideCrate { folder };
        outside.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                 [dependencies]\n{dependencies}\n[workspace]\n"
            ),
        );
        outside.write("src/main.rs", main);
        outside.copy_lock();
        outside
    }

    /// Writes a file of the crate.
    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("make a folder");
        fs::write(&path, text).expect("write a file of the outside crate");
    }

    /// Pins the versions that the workspace has already downloaded, where it has a lock file.
    fn copy_lock(&self) {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
        if let Ok(text) = fs::read_to_string(lock) {
            self.write("Cargo.lock", &text);
        }
    }

    /// Runs cargo in the crate, without what the workspace told this process.
    fn cargo(&self, command: &str) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_") && name != "CARGO_HOME" || name.starts_with("CUDA_") {
                cargo.env_remove(&*name);
            }
        }
        cargo.current_dir(&self.folder).args([command, "--offline"]);
        cargo.env("CARGO_TARGET_DIR", self.folder.join("target"));
        cargo.output().expect("run cargo")
    }

    /// Builds and runs the crate's program; what it printed.
    fn run(&self) -> String {
        let output = self.cargo("run");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the outside crate failed:\n{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A line of `[dependencies]` for this crate.
fn this_crate(features: &str) -> String {
    let path = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    format!("aikf-cuda-loader = {{ path = \"{path}\", features = [{features}] }}")
}

/// Checks what a program printed against whether this machine has a driver.
fn check_output(printed: &str) {
    match cuda_loader::library() {
        Ok(name) => assert!(printed.contains("started"), "{name} here, but: {printed}"),
        Err(_) => assert!(printed.contains(NO_DRIVER), "{printed}"),
    }
}

#[test]
fn a_plain_dependent_needs_no_settings() {
    let main = r#"
        fn main() {
            match cuda_loader::api::init() {
                Ok(()) => println!("started"),
                Err(error) => println!("{error}"),
            }
        }
    "#;
    let outside = OutsideCrate::new("plain", &this_crate(""), main);
    check_output(&outside.run());
}

#[test]
fn a_dependent_with_cust_needs_an_empty_folder() {
    let main = r#"
        use cuda_loader as _;
        fn main() {
            match cust::init(cust::CudaFlags::empty()) {
                Ok(()) => println!("started"),
                Err(error) => println!("{error}"),
            }
        }
    "#;
    let dependencies = format!("{}\ncust = \"0.3.2\"", this_crate("\"cust\""));
    let outside = OutsideCrate::new("withcust", &dependencies, main);
    outside.write("cuda/lib64/.gitkeep", "");
    outside.write(
        ".cargo/config.toml",
        "[env]\nCUDA_LIBRARY_PATH = { value = \"cuda\", relative = true }\n",
    );
    check_output(&outside.run());
}
