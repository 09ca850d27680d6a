//! The GPU generations that PTX is made for.

use std::fmt;

/// A GPU generation: the least compute capability that the PTX made for it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// Turing, with PTX ISA 7.4.
    Sm75,
    /// Ampere, with PTX ISA 7.4.
    Sm80,
    /// Hopper, with PTX ISA 8.0.
    Sm90,
    /// Blackwell, with PTX ISA 8.6.
    Sm100,
}

impl Arch {
    /// Every generation, oldest first.
    pub const ALL: [Arch; 4] = [Arch::Sm75, Arch::Sm80, Arch::Sm90, Arch::Sm100];

    /// The compute capability as one number: 75 for 7.5.
    pub const fn number(self) -> u32 {
        match self {
            Arch::Sm75 => 75,
            Arch::Sm80 => 80,
            Arch::Sm90 => 90,
            Arch::Sm100 => 100,
        }
    }

    /// Version of the PTX ISA: the oldest with the instructions kernels want on this generation,
    /// because the version decides which drivers accept the PTX.
    pub const fn ptx_isa(self) -> (u32, u32) {
        match self {
            Arch::Sm75 | Arch::Sm80 => (7, 4),
            Arch::Sm90 => (8, 0),
            Arch::Sm100 => (8, 6),
        }
    }

    /// The rustc target feature that asks for [`Arch::ptx_isa`].
    pub(crate) fn ptx_feature(self) -> String {
        let (major, minor) = self.ptx_isa();
        format!("ptx{major}{minor}")
    }

    /// The `--cfg` names that are set for this generation: one for each floor that it reaches.
    pub(crate) fn cfgs(self) -> impl Iterator<Item = &'static str> {
        let floors = [(80, "sm80"), (90, "sm90")];
        floors.into_iter().filter(move |floor| self.number() >= floor.0).map(|floor| floor.1)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sm_{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfgs_accumulate() {
        let cfgs = |arch: Arch| arch.cfgs().collect::<Vec<_>>();
        assert!(cfgs(Arch::Sm75).is_empty());
        assert_eq!(cfgs(Arch::Sm80), ["sm80"]);
        assert_eq!(cfgs(Arch::Sm90), ["sm80", "sm90"]);
        assert_eq!(cfgs(Arch::Sm100), ["sm80", "sm90"]);
    }

    #[test]
    fn names_are_those_of_the_tools() {
        assert_eq!(Arch::Sm90.to_string(), "sm_90");
        assert_eq!(Arch::Sm75.ptx_feature(), "ptx74");
    }
}
