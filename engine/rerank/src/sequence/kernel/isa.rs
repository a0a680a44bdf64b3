//! The instruction set, found once, and the kernel compiled for each.

use std::sync::LazyLock;

use super::lanes;
use super::{COLUMNS, Columns, Encoded, Run, State, align};

/// The widest vectors that this processor and the kernel have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    /// x86-64 with AVX-512 F and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What the compiler makes of plain loops.
    Portable,
}

static ALL: LazyLock<Vec<Isa>> = LazyLock::new(|| {
    let mut all = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2");
        if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            all.push(Isa::Avx512);
        }
        if avx2 {
            all.push(Isa::Avx2);
        }
    }
    all.push(Isa::Portable);
    all
});

impl Isa {
    /// What this processor has, the widest first.
    #[cfg(test)]
    pub(crate) fn all() -> &'static [Self] {
        &ALL
    }

    /// The widest that this processor has.
    pub(crate) fn best() -> Self {
        ALL[0]
    }
}

macro_rules! dispatch {
    ($name:ident, $element:ty, $avx512:ident, $avx2:ident, $portable:ident) => {
        /// The largest score of each lane goes to `state.best`. `run.isa` is one that this
        /// processor has, and `columns` was packed for it.
        pub(super) fn $name(
            run: Run<'_>,
            query: Encoded<'_>,
            columns: &Columns,
            state: &mut State<$element>,
        ) {
            let biased = !(query.bias.is_empty() && columns.bias.is_empty());
            match run.isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => {
                    #[target_feature(enable = "avx512f,avx512bw,avx2")]
                    unsafe fn on(
                        run: Run<'_>,
                        query: Encoded<'_>,
                        columns: &Columns,
                        state: &mut State<$element>,
                        biased: bool,
                    ) {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe {
                            if biased {
                                align::<lanes::$avx512, COLUMNS, true>(run, query, columns, state);
                            } else {
                                align::<lanes::$avx512, COLUMNS, false>(run, query, columns, state);
                            }
                        }
                    }
                    // SAFETY: the processor has these instructions: only `ALL` makes an `Isa`, and asks it.
                    unsafe { on(run, query, columns, state, biased) }
                }
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => {
                    #[target_feature(enable = "avx2")]
                    unsafe fn on(
                        run: Run<'_>,
                        query: Encoded<'_>,
                        columns: &Columns,
                        state: &mut State<$element>,
                        biased: bool,
                    ) {
                        // SAFETY: this function enables the lanes' instructions.
                        unsafe {
                            if biased {
                                align::<lanes::$avx2, 2, true>(run, query, columns, state);
                            } else {
                                align::<lanes::$avx2, 2, false>(run, query, columns, state);
                            }
                        }
                    }
                    // SAFETY: as above.
                    unsafe { on(run, query, columns, state, biased) }
                }
                // SAFETY: plain loops run anywhere.
                Isa::Portable => unsafe {
                    align::<lanes::$portable, 2, true>(run, query, columns, state);
                },
            }
        }
    };
}

dispatch!(run_narrow, i8, Avx512x64, Avx2x32, Portable16);
dispatch!(run_wide, i16, Avx512x32, Avx2x16, Portable8);
