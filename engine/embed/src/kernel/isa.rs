//! The instruction set, found once.

use std::sync::LazyLock;

/// The widest vectors that this processor and these kernels have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What the compiler makes of plain loops.
    Portable,
}

static ISA: LazyLock<Isa> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            return Isa::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Isa::Avx2;
        }
    }
    Isa::Portable
});

/// The instruction set in use.
pub(crate) fn isa() -> Isa {
    *ISA
}

/// Defines a function that runs a generic kernel with the widest lanes. The kernel and all it
/// calls are inlined into one function per instruction set, so that the set's instructions are
/// used throughout. The number is the rows of a product's tile: rows x 2 sums, two vectors and
/// the addresses have to fit the registers.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $kernel:ident;) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) {
            match $crate::kernel::isa::isa() {
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::isa::Isa::Avx512 => {
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                    unsafe fn run($($arg: $type),*) {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe { $kernel::<$crate::kernel::lanes::Avx512, 12>($($arg),*) };
                    }
                    // SAFETY: the processor has these instructions; `isa` asked it.
                    unsafe { run($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::isa::Isa::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    unsafe fn run($($arg: $type),*) {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe { $kernel::<$crate::kernel::lanes::Avx2, 6>($($arg),*) };
                    }
                    // SAFETY: as above.
                    unsafe { run($($arg),*) }
                }
                $crate::kernel::isa::Isa::Portable => {
                    // SAFETY: plain loops run anywhere.
                    unsafe { $kernel::<$crate::kernel::lanes::Portable, 4>($($arg),*) };
                }
            }
        }
    };
}
pub(crate) use dispatch;
