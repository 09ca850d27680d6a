//! All measurements on the emulator: times mean nothing there, but every kernel must do its work,
//! and the emulator finds races and accesses out of bounds.
use constants::{Bench, Effort, Gpu, groups};

static KERNELS: &[&[simt::Kernel]] = &[constants_kernels::EMULATED];

#[test]
fn every_group_does_its_work() {
    cuda_emulator::install(KERNELS).expect("no other driver is in use");
    let gpu = Gpu::open(0).expect("the emulator's GPU");
    let bench = Bench::new(gpu, Effort::TINY).expect("memory");
    for (name, measure) in groups::ALL {
        let constants = measure(&bench).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(!constants.is_empty(), "{name}");
        for constant in constants {
            assert_eq!(constant.group, name);
            assert!(constant.median.is_finite(), "{constant:?}");
        }
    }
}
