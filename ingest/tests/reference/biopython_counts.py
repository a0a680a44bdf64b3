"""Counts of the structures in a folder, as Biopython sees them.

    python biopython_counts.py FOLDER > ../golden/structures.json

A protein chain has at least one amino acid; its residues are those of ATOM records and the modified
amino acids. Of alternate locations the one of highest occupancy counts, the first among equals.
"""

import json
import pathlib
import sys
import warnings

from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.Polypeptide import is_aa


def c_alpha(residue):
    variants = (
        residue.disordered_get_list() if residue.is_disordered() == 2 else [residue]
    )
    atoms = []
    for variant in variants:
        for atom in variant.get_unpacked_list():
            if atom.get_name() == "CA" and atom.element == "C":
                atoms.append(atom)
    atoms.sort(key=lambda atom: atom.get_serial_number())
    return max(atoms, key=lambda atom: atom.get_occupancy(), default=None)


def is_polymer(residue):
    return residue.id[0] == " " or is_aa(residue, standard=False)


def counts(path):
    parser = MMCIFParser(QUIET=True) if path.suffix == ".cif" else PDBParser(QUIET=True)
    models = list(parser.get_structure(path.stem, path))
    proteins = []
    for model in models:
        for chain in model:
            residues = [r for r in chain if is_polymer(r)]
            if not any(is_aa(r, standard=False) for r in residues):
                continue
            atoms = [a for a in map(c_alpha, residues) if a is not None]
            proteins.append(
                {
                    "model": model.serial_num or 1,
                    "chain": chain.id.strip(),
                    "residues": len(residues),
                    "with_ca": len(atoms),
                    "number_sum": sum(r.id[1] for r in residues),
                    "ca_sum": [
                        round(sum(float(a.coord[i]) for a in atoms), 3) for i in range(3)
                    ],
                }
            )
    return {
        "models": len(models),
        "chains": sum(1 for model in models for _ in model),
        "proteins": proteins,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder = pathlib.Path(sys.argv[1])
    files = sorted(p for p in folder.iterdir() if p.suffix in (".pdb", ".cif"))
    json.dump({p.name: counts(p) for p in files}, sys.stdout, indent=1, sort_keys=True)
    print()
