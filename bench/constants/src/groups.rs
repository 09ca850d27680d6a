//! What is measured, a function a group.
use anyhow::Result;
use cuda_loader::api::DeviceAttribute;
use cuda_loader::api::launch::LaunchExtras;

use crate::bench::Bench;
use crate::gpu::{Launch, Time};
use crate::report::Constant;

/// A group's name, and its measurements.
pub type Group = (&'static str, fn(&Bench) -> Result<Vec<Constant>>);

/// Every group.
pub const ALL: [Group; 6] = [
    ("launch", launches),
    ("join", joins),
    ("barrier", barriers),
    ("shared", shared_atomics),
    ("warp", warp_operations),
    ("read", reads),
];

/// Empty kernels: alone in a graph, and behind each other.
fn launches(bench: &Bench) -> Result<Vec<Constant>> {
    let mut constants = vec![];
    let all = bench.multiprocessors;
    for (grid, block) in [(1, 32), (1, 1024), (all, 512), (2 * all, 512), (all, 1024)] {
        let launch = Launch::new("empty", grid, block, &[bench.out.0]);
        let setting = format!("{grid} x {block}");
        if (grid, block) == (1, 32) {
            // SAFETY: the kernel does nothing.
            let alone = unsafe { bench.time(std::slice::from_ref(&launch), false) }?;
            constants.push(Constant::us("launch", "a graph of one empty kernel", &setting, alone));
        }
        let time = further(bench, &launch)?;
        constants.push(Constant::us("launch", "each further empty kernel", &setting, time));
    }
    if bench.gpu.attribute(DeviceAttribute::CLUSTER_LAUNCH)? == 0 {
        return Ok(constants);
    }
    for size in [2, 4, 8] {
        let extras = LaunchExtras { cluster: Some([size, 1, 1]), programmatic: false };
        // Whole clusters, one at least.
        let grid = (all / size * size).max(size);
        let launch = Launch { extras, ..Launch::new("empty", grid, 512, &[bench.out.0]) };
        let setting = format!("{grid} x 512, clusters of {size}");
        let time = further(bench, &launch)?;
        constants.push(Constant::us("launch", "each further empty kernel", &setting, time));
    }
    // No kernel says when the next may start, so that it may when the last block has ended.
    let extras = LaunchExtras { cluster: None, programmatic: true };
    let launch = Launch { extras, ..Launch::new("empty", all, 512, &[bench.out.0]) };
    let setting = format!("{all} x 512, programmatic");
    let time = further(bench, &launch)?;
    constants.push(Constant::us("launch", "each further empty kernel", &setting, time));
    Ok(constants)
}

/// The time that one more of the same launch takes in a graph.
fn further(bench: &Bench, launch: &Launch) -> Result<Time> {
    let count = bench.effort.launches;
    let many = vec![launch.clone(); count + 1];
    // SAFETY: the kernel is `empty`, which does nothing.
    let many = unsafe { bench.time(&many, false) }?;
    // SAFETY: as above.
    let one = unsafe { bench.time(std::slice::from_ref(launch), false) }?;
    let of_one = |many: f64, one: f64| (many * (count + 1) as f64 - one) / count as f64;
    Ok(Time {
        median_us: of_one(many.median_us, one.median_us),
        least_us: of_one(many.least_us, one.least_us),
    })
}

/// Blocks that come together by tickets, of which the last adds up a word of each.
fn joins(bench: &Bench) -> Result<Vec<Constant>> {
    let mut constants = vec![];
    let all = bench.multiprocessors;
    let mut grids: Vec<u32> = [1, 2, 4, 8, 16, 33, 66, 132, all].into();
    grids.retain(|&grid| grid <= all);
    grids.sort_unstable();
    grids.dedup();
    for grid in grids {
        let mut times = [Time::default(); 2];
        for joined in [0, 1] {
            let arguments = [bench.parts.0, bench.tickets.0, bench.out.0, joined];
            let launch = Launch::new("join", grid, 512, &arguments);
            // SAFETY: there is a word for each block; the ticket is zero again after each launch.
            times[joined as usize] =
                unsafe { bench.time(&vec![launch; bench.effort.launches], false) }?;
        }
        bench.check("join", 1, |_| grid * (grid + 1) / 2)?;
        let [written, joined] = times;
        let time = Time {
            median_us: joined.median_us - written.median_us,
            least_us: joined.least_us - written.least_us,
        };
        let setting = format!("{grid} x 512");
        constants.push(Constant::us("join", "ticket, and the last block's sum", &setting, time));
    }
    Ok(constants)
}

const WARPS: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// Barriers of a block.
fn barriers(bench: &Bench) -> Result<Vec<Constant>> {
    let mut constants = vec![];
    for (kernel, name) in [("barrier", "a barrier"), ("barrier_count", "a barrier that counts")] {
        for warps in WARPS {
            let threads = 32 * warps;
            let expected = |things: u32| match kernel {
                "barrier" => things / constants_kernels::PER_ROUND,
                _ => things * threads,
            };
            let time = bench.thing_ns(kernel, threads, &[], expected)?;
            constants.push(Constant::ns("barrier", name, &format!("{warps} warps"), time));
        }
    }
    Ok(constants)
}

/// Additions to shared memory: each thread its own word, all the same, or so many words apart that
/// they share a bank.
fn shared_atomics(bench: &Bench) -> Result<Vec<Constant>> {
    let mut constants = vec![];
    let kernels = [("shared_add", "an addition"), ("shared_fetch_add", "an addition waited for")];
    let spreads = [(1, "a word each"), (0, "one word"), (32, "one bank")];
    for (kernel, name) in kernels {
        for (spread, of_spread) in spreads {
            for warps in [1, 4, 16, 32] {
                let threads = 32 * warps;
                let sum = |things: u32| things * threads;
                let time = bench.thing_ns(kernel, threads, &[spread], sum)?;
                let setting = format!("{of_spread}, {warps} warps");
                constants.push(Constant::ns("shared", name, &setting, time));
            }
        }
    }
    Ok(constants)
}

/// What the lanes of a warp have.
type Lanes = [u32; 32];
/// A kernel, what it does in words, and what the lanes have after it was done once.
type WarpKernel = (&'static str, &'static str, fn(Lanes) -> Lanes);

/// Operations of a warp, each waiting for the one before; the block's other warps do the same.
fn warp_operations(bench: &Bench) -> Result<Vec<Constant>> {
    let kernels: [WarpKernel; 4] = [
        ("shuffle", "a shuffle", |lanes| std::array::from_fn(|lane| lanes[lane ^ 1])),
        ("reduce_max", "a maximum, and 1 more", |lanes| {
            [lanes.into_iter().max().unwrap_or(0) + 1; 32]
        }),
        ("ballot", "a comparison and a vote", |lanes| {
            let bit = |(lane, value): (usize, &u32)| u32::from(*value == 0) << lane;
            [lanes.iter().enumerate().map(bit).sum(); 32]
        }),
        ("match_any", "a match", |lanes| {
            let same = |value: u32, lane: usize| u32::from(lanes[lane] == value) << lane;
            lanes.map(|value| (0..32).map(|lane| same(value, lane)).sum())
        }),
    ];
    let mut constants = vec![];
    for (kernel, name, next) in kernels {
        for warps in [1, 4, 16, 32] {
            let of_first_lane = |things: u32| {
                let first: Lanes = std::array::from_fn(|lane| lane as u32);
                (0..things).fold(first, |lanes, _| next(lanes))[0]
            };
            let time = bench.thing_ns(kernel, 32 * warps, &[], of_first_lane)?;
            constants.push(Constant::ns("warp", name, &format!("{warps} warps"), time));
        }
    }
    Ok(constants)
}

/// Who reads in words, blocks and their threads, the kernel, and how many bytes are read.
type Reader = (&'static str, (u32, u32), &'static str, &'static [u64]);

/// Reads by one block and by all multiprocessors, from the cache and from memory; a launch is in
/// their times.
fn reads(bench: &Bench) -> Result<Vec<Constant>> {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const BY_ONE: &[u64] = &[4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB];
    const BY_ALL: &[u64] = &[MIB, 4 * MIB, 16 * MIB, 32 * MIB, 64 * MIB, 256 * MIB];
    let all = 2 * bench.multiprocessors;
    let readers: [Reader; 4] = [
        ("one block, 4 loads a thread", (1, 1024), "read_u4", BY_ONE),
        ("one block, 8 loads a thread", (1, 512), "read_u8", BY_ONE),
        ("all, 4 loads a thread", (all, 512), "read_u4", BY_ALL),
        ("all, 8 loads a thread", (all, 512), "read_u8", BY_ALL),
    ];
    let cache = u64::from(bench.gpu.attribute(DeviceAttribute::L2_CACHE_SIZE)?);
    let mut constants = vec![];
    for (from_memory, name) in [(false, "from L2"), (true, "from memory")] {
        for (what, shape, kernel, sizes) in readers {
            for &bytes in sizes.iter().filter(|bytes| **bytes <= bench.effort.window_bytes_max) {
                if !from_memory && bytes > cache * 2 / 3 {
                    continue;
                }
                let time = bench.read_time(kernel, shape, bytes, from_memory)?;
                let size = match bytes {
                    MIB.. => format!("{} MiB", bytes / MIB),
                    _ => format!("{} KiB", bytes / KIB),
                };
                let setting = format!("{size}, {what}");
                let constant = Constant::us("read", name, &setting, time);
                constants.push(constant.of_bytes(bytes));
            }
        }
    }
    Ok(constants)
}
