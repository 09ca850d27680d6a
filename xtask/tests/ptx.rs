//! `cargo xtask ptx` without a compiler: it must fail, whatever prebuilt PTX there is.

use std::process::Command;

#[test]
fn without_a_compiler_it_fails_and_says_what_to_install() {
    for arguments in [&["ptx"][..], &["ptx", "--check"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .env("AIKF_RUSTC", "no/such/rustc")
            .env("AIKF_PTX", "prebuilt")
            .output()
            .expect("cargo has built it");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("tried no/such/rustc: does not start"), "{message}");
        assert!(message.contains("rustup component add rust-src"), "{message}");
    }
}
