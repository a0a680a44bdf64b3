//! Names of chemical components, as far as polymers need them.

/// What a residue is by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Component {
    /// An amino acid, with its one-letter code.
    AminoAcid(u8),
    /// A nucleotide.
    Nucleotide,
    /// Water.
    Water,
    /// Anything else.
    Other,
}

/// The twenty amino acids, the two further genetically coded ones, the ambiguous ones, and the
/// modified residues that are frequent enough in the PDB to be known without the file's help.
const AMINO_ACIDS: [(&str, u8); 62] = [
    ("ALA", b'A'),
    ("ARG", b'R'),
    ("ASN", b'N'),
    ("ASP", b'D'),
    ("CYS", b'C'),
    ("GLN", b'Q'),
    ("GLU", b'E'),
    ("GLY", b'G'),
    ("HIS", b'H'),
    ("ILE", b'I'),
    ("LEU", b'L'),
    ("LYS", b'K'),
    ("MET", b'M'),
    ("PHE", b'F'),
    ("PRO", b'P'),
    ("SER", b'S'),
    ("THR", b'T'),
    ("TRP", b'W'),
    ("TYR", b'Y'),
    ("VAL", b'V'),
    ("SEC", b'U'),
    ("PYL", b'O'),
    ("ASX", b'B'),
    ("GLX", b'Z'),
    ("XLE", b'J'),
    ("UNK", b'X'),
    ("MSE", b'M'),
    ("FME", b'M'),
    ("SEP", b'S'),
    ("TPO", b'T'),
    ("PTR", b'Y'),
    ("TYS", b'Y'),
    ("HYP", b'P'),
    ("PCA", b'Q'),
    ("CSO", b'C'),
    ("CSD", b'C'),
    ("CME", b'C'),
    ("CSS", b'C'),
    ("CSX", b'C'),
    ("OCS", b'C'),
    ("SMC", b'C'),
    ("CAS", b'C'),
    ("CCS", b'C'),
    ("YCM", b'C'),
    ("MLY", b'K'),
    ("MLZ", b'K'),
    ("M3L", b'K'),
    ("KCX", b'K'),
    ("ALY", b'K'),
    ("LLP", b'K'),
    ("CGU", b'E'),
    ("MEN", b'N'),
    ("NEP", b'H'),
    ("HIC", b'H'),
    ("AGM", b'R'),
    ("AIB", b'A'),
    ("ABA", b'A'),
    ("SAC", b'S'),
    // Protonation states as molecular dynamics programs name them.
    ("HID", b'H'),
    ("HIE", b'H'),
    ("HIP", b'H'),
    ("CYX", b'C'),
];

const NUCLEOTIDES: [&str; 19] = [
    "A", "C", "G", "U", "T", "I", "N", "DA", "DC", "DG", "DT", "DU", "DI", "DN", "ADE", "CYT",
    "GUA", "THY", "URA",
];

const WATERS: [&str; 5] = ["HOH", "WAT", "DOD", "H2O", "TIP"];

impl Component {
    pub(super) fn of(name: &str) -> Self {
        if let Some((_, letter)) = AMINO_ACIDS.iter().find(|(known, _)| *known == name) {
            Self::AminoAcid(*letter)
        } else if NUCLEOTIDES.contains(&name) {
            Self::Nucleotide
        } else if WATERS.contains(&name) {
            Self::Water
        } else {
            Self::Other
        }
    }
}
