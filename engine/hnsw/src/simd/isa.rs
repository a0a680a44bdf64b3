//! The instruction set, found once per index.

/// The widest vectors that this processor and these kernels have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What the compiler makes of plain loops.
    Portable,
}

impl Isa {
    /// All that this processor has, the widest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                all.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self::Avx2);
            }
        }
        all.push(Self::Portable);
        all
    }

    /// The widest.
    pub(crate) fn widest() -> Self {
        Self::available()[0]
    }
}

/// Defines a function that runs a generic kernel with the lanes of an instruction set, which must
/// come from [`Isa::available`]. The kernel and all it calls are inlined into one function per
/// set, so that the set's instructions are used throughout.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $out:ty = $kernel:ident;) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::simd::isa::Isa, $($arg: $type),*) -> $out {
            match isa {
                #[cfg(target_arch = "x86_64")]
                $crate::simd::isa::Isa::Avx512 => {
                    #[target_feature(
                        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"
                    )]
                    unsafe fn run($($arg: $type),*) -> $out {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe { $kernel::<$crate::simd::lanes::Avx512>($($arg),*) }
                    }
                    // SAFETY: the processor has these instructions; it was asked.
                    unsafe { run($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::simd::isa::Isa::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    unsafe fn run($($arg: $type),*) -> $out {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe { $kernel::<$crate::simd::lanes::Avx2>($($arg),*) }
                    }
                    // SAFETY: as above.
                    unsafe { run($($arg),*) }
                }
                $crate::simd::isa::Isa::Portable => {
                    // SAFETY: plain loops run anywhere.
                    unsafe { $kernel::<$crate::simd::lanes::Portable>($($arg),*) }
                }
            }
        }
    };
}
pub(crate) use dispatch;
