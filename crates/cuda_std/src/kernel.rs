//! Declaring kernels: [`kernels!`](crate::kernels), [`device_crate!`](crate::device_crate) and
//! [`unroll!`](crate::unroll).

/// What the host must know of one kernel to launch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelInfo {
    /// The entry point's name in the PTX.
    pub name: &'static str,
    /// The most threads a block may have (`.maxntid`).
    pub max_threads: u32,
    /// The size in bytes of each parameter, in order.
    pub parameter_bytes: &'static [usize],
    /// The first GPU generation that has it, compute capability major times 10 plus minor; 0 where
    /// all have it.
    pub since: u32,
}

/// The number in the name of a GPU generation, such as `sm90`; 0 for none.
#[doc(hidden)]
pub const fn generation(name: &str) -> u32 {
    let (digits, mut number, mut at) = (name.as_bytes(), 0, 2);
    while at < digits.len() {
        number = 10 * number + (digits[at] - b'0') as u32;
        at += 1;
    }
    number
}

/// Declares kernels as instances of generic bodies.
///
/// ```ignore
/// kernels! {
///     /// Row maximum of `f32` rows.
///     row_max_f32[threads 256, blocks 4](x: *const u32, out: *mut u32, n: u32) = row_max::<F32>;
/// }
/// ```
///
/// `threads` is the most threads a block may have; a kernel with `since sm90` is in the PTX of that
/// generation and later ones alone. `blocks` is how many blocks must fit on a
/// multiprocessor, which bounds the registers. On the GPU each line becomes an exported entry
/// point and a marker comment, from which `cuda_builder` writes the launch directives. On the
/// host the lines become `KERNELS: &[KernelInfo]` and, with the emulator, `EMULATED`, the table
/// that runs them by name.
#[macro_export]
macro_rules! kernels {
    ($($(#[$doc:meta])* $name:ident[threads $threads:literal, blocks $blocks:literal
        $(, since $since:ident)?]($($arg:ident: $type:ty),* $(,)?) = $body:path;)*) => {
        /// Every kernel of this module.
        #[cfg(not(target_arch = "nvptx64"))]
        pub const KERNELS: &[$crate::KernelInfo] = &[$($crate::KernelInfo {
            name: stringify!($name),
            max_threads: $threads,
            parameter_bytes: &[$(size_of::<$type>()),*],
            since: $crate::macros::generation(concat!($(stringify!($since))?)),
        }),*];

        /// The same kernels, to be run by name in the emulator.
        #[cfg(all(not(target_arch = "nvptx64"), feature = "emulator"))]
        pub const EMULATED: &[$crate::macros::Kernel] = &[$($crate::macros::Kernel {
            name: stringify!($name),
            max_threads: $threads,
            parameter_bytes: &[$(size_of::<$type>()),*],
            call: {
                unsafe fn call(args: &[*const core::ffi::c_void]) {
                    let mut at = 0;
                    $(
                        // SAFETY: the caller passes one pointer a parameter, each to a value of the
                        // declared type.
                        let $arg = unsafe { args[at].cast::<$type>().read() };
                        at += 1;
                    )*
                    debug_assert_eq!(at, args.len());
                    // SAFETY: the kernel's own contract, passed on to whoever launches it.
                    unsafe { $body($($arg),*) }
                }
                call
            },
        }),*];

        $(
            #[cfg(target_arch = "nvptx64")]
            $(#[cfg($since)])?
            core::arch::global_asm!(concat!(
                "// @launch ", stringify!($name), " .maxntid ", $threads, ", 1, 1 .minnctapersm ",
                $blocks
            ));
            $(#[$doc])*
            ///
            /// # Safety
            /// The contract of the body that it instantiates.
            #[cfg(target_arch = "nvptx64")]
            $(#[cfg($since)])?
            #[unsafe(no_mangle)]
            pub unsafe extern "ptx-kernel" fn $name($($arg: $type),*) {
                // SAFETY: the same contract.
                unsafe { $body($($arg),*) }
            }
        )*
    };
}

/// Once, in a kernel crate's root: the declarations that the device library refers to, and the
/// panic handler (a trap; the builder refuses PTX in which a panic is reachable).
#[macro_export]
macro_rules! device_crate {
    () => {
        #[cfg(target_arch = "nvptx64")]
        core::arch::global_asm!(".extern .shared .align 16 .b8 cuda_std_dynamic_shared[];");
        #[cfg(target_arch = "nvptx64")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            loop {}
        }
    };
}

/// Runs the body once for each `i` in `0..n`, written out, so that no optimiser has to unroll it
/// and arrays indexed by `i` stay in registers. `n` is a constant of at most 8.
#[macro_export]
macro_rules! unroll {
    ($i:ident in $n:expr => $body:block) => {
        $crate::unroll!(@ $i $n, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $i:ident $n:expr, $body:block, $($k:literal)*) => {{
        const { assert!($n <= 8, "unroll! goes up to 8") };
        $(if $k < $n { let $i: usize = $k; $body })*
    }};
}
