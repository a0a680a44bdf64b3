//! The texts of `--help` that clap does not make by itself.

/// The page that `penstock --help` and `penstock -h` share.
pub(super) const ROOT: &str = "\
{about}

{usage-heading} {usage}

Start here
  demo       Run the whole path on a small built-in sample
  serve      Serve the store over HTTP (OpenAPI) and Arrow Flight

Load
  ingest     Load files of sequences, structures, meshes or graphs into a table
  encode     Fill a feature column of a table
  embed      Print vectors of sequences or files; nothing is stored
  encoders   List the encoders
  train-head Fit a small head that says the secondary structure of residues
  heads      List the heads
  graph      Make a table of graphs from structures, sequences or meshes
  index      Build an index of vectors, substrings or words, or measure it
  warm       Bring the index of a feature column into memory

Ask
  predict    Predict secondary structure with a head
  search     Find the nearest rows to an id, a sequence, a file or a vector
  late       Find rows by a vector for each residue, base or vertex
  match      Find a pattern, exactly, in the graphs of a table
  motif      Find the occurrences of a pattern in sequences
  duplicates Find clusters of near-duplicates
  sql        Run a read-only SQL query over all tables
  tables     List the tables
  describe   Show columns, features, indexes and sizes of a table

Pin and pull
  versions   List the versions of a table
  tag        Name a version
  snapshot   Pin rows and columns under a name and a digest
  export     Write a snapshot as Zarr, Parquet or NPY files

Look after
  delete     Delete rows
  verify     Compare every data file with its recorded digest
  compact    Merge small data files
  gc         Remove old versions that no tag or snapshot names
  openapi    Print the OpenAPI document of the server

Options
{options}{after-help}";

pub(super) const ROOT_AFTER: &str = "\
`penstock COMMAND --help` shows a command's options with examples.";

pub(super) const ROOT_AFTER_LONG: &str = "\
Examples:
  penstock demo
  penstock ingest proteins swissprot.fasta.gz
  penstock search proteins --text MKTAYIAKQRQISFVKSHFSRQ -k 5
  penstock sql \"SELECT id, length FROM proteins ORDER BY length DESC LIMIT 5\"
  penstock snapshot create training --table proteins --columns id,protein_kmer_v1
  penstock export training --format zarr --out ./training.zarr
  penstock serve

Exit codes:
   0  done
   1  an error inside this program
   2  the command line or the request makes no sense
   3  no such table, version, tag, column, row, snapshot, encoder, head or file
   4  the data break the rules of their format, or of the table they go to
   5  it exists already, or another writer was faster
   6  a size, time or memory limit, or the disk or bucket is full
   7  the store or the server does not answer
   8  it is not known whether the change was made: look before repeating it
   9  cancelled
  10  stored bytes differ from their recorded digest; also when `verify` finds such a file
  11  this build or store cannot do it

Environment:
  PENSTOCK_STORE, PENSTOCK_SERVER   defaults of --store and --server
  PENSTOCK_CHECKPOINTS              default of --checkpoints
  HF_HUB_CACHE, HF_HOME             where models of the Hugging Face hub are kept, also by its
                                    own tools
  HF_ENDPOINT, HF_TOKEN             another hub; access to gated and private models
  HF_HUB_OFFLINE                    1 for --offline
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY how other machines are reached
  PENSTOCK_LOG                      what `serve` logs to standard error: `info` logs every
                                    request, `penstock=debug` more
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
  AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL
                                    access to an s3:// store
  NO_COLOR                          no colours, when set";

pub(super) const MATCH: &str = "Examples:
  penstock ingest hprd HPRD.graph
  penstock match hprd --pattern query.graph --count
  penstock match contacts --pattern triad.json --limit 100 --deadline 10 --json
  penstock match hprd --pattern query.graph --similar
  penstock match contacts --of 1A8O --residues A:158,161-163 --similar --min-score 0.8

A pattern in JSON; a label may be a name, a list of names or \"*\":
  {\"vertices\": [{\"label\": \"HIS\"}, {\"label\": [\"ASP\", \"GLU\"]}, {\"label\": \"SER\"}],
   \"edges\": [{\"from\": 0, \"to\": 1,
              \"near\": [{\"attribute\": \"distance\", \"value\": 6.5, \"tolerance\": 1}]},
             {\"from\": 0, \"to\": 2}]}";

pub(super) const GRAPH: &str = "Examples:
  penstock ingest structures pdb/
  penstock graph contacts --from structures
  penstock match contacts --of 1A8O --residues A:158,161-163
  penstock graph faces --from models
  penstock graph unitigs --from genomes -k 31";

pub(super) const DUPLICATES: &str = "Examples:
  penstock duplicates proteins --within 0.05
  penstock duplicates models --within 0.001 --json";

pub(super) const TABLES: &str = "Examples:
  penstock tables
  penstock --json tables";

pub(super) const DESCRIBE: &str = "Examples:
  penstock describe proteins
  penstock describe proteins --at 3";

pub(super) const VERSIONS: &str = "Examples:
  penstock versions proteins";

pub(super) const TAG: &str = "Examples:
  penstock tag proteins release-2026-11        the latest version
  penstock tag proteins before-cleaning 3";

pub(super) const DELETE: &str = "Examples:
  penstock delete proteins --where \"length < 30\"
  penstock delete genomes --where \"parent IS NULL AND id = 'plasmid'\"";

pub(super) const ENCODE: &str = "Examples:
  penstock encode proteins
  penstock encode proteins --encoder protein-kmer-v1
  penstock encode interactions --encoder graph-sage-v1
  penstock encode proteins --encoder ./esm2_t6_8M_UR50D
  penstock encode proteins --encoder ./esm2_t6_8M_UR50D:none:f16
  penstock encode proteins --encoder facebook/esm2_t6_8M_UR50D

A trained model is named by its folder, as the Hugging Face hub lays it out (config.json,
*.safetensors, a vocabulary), or by its name on the hub, ORG/NAME, with a branch, tag or commit as
ORG/NAME@REVISION. It is downloaded when it is not in the hub's cache yet, unless --offline is
given. After the name, `:cls`, `:max` or `:none` (a vector for each residue or base) take the place
of the mean, and `:f16` stores half precision. `:bf16` or `:int8` compute in lower precision, faster
and less exactly; such vectors are not mixed with others.";

pub(super) const EMBED: &str = "Examples:
  penstock embed --encoder protein-kmer-v1 --text MKTAYIAKQRQISFVK
  penstock embed --encoder ./esm2_t6_8M_UR50D --file proteins.fasta
  penstock embed --encoder facebook/esm2_t6_8M_UR50D --file proteins.fasta
  penstock --offline embed --encoder facebook/esm2_t6_8M_UR50D@main --text MKTAYIAKQRQISFVK
  penstock --json embed --encoder ./esm2_t6_8M_UR50D:none --file one.fasta
  penstock embed --encoder ./esm2_t6_8M_UR50D --contacts --file one.fasta";

pub(super) const TRAIN_HEAD: &str = "Examples:
  penstock encode proteins --encoder ./esm2_t6_8M_UR50D:none:f16
  penstock train-head proteins --name ss3 --labels structure
  penstock train-head proteins --name ss3 --labels ss_dis.txt --hidden 128
  penstock train-head proteins --name ss3 --labels train.tsv --label-column dssp8 \\
      --mask-column resolved --group superfamily --balanced

A file of labels has a letter for each residue, by the record's id: H, E and C, or DSSP's eight.
It is like FASTA (a header, then the letters, perhaps after the sequence; also the PDB's ss.txt and
ss_dis.txt), or has columns: text with tabs or commas and a header line, or Parquet. `-`, `.`, `?`,
`*` and `X` stand for residues that are not observed and count for nothing; where `-` means coil,
say --mask-letters '.?*X'. A mask has 0 or X for such residues and 1 or - for the others.";

pub(super) const PREDICT: &str = "Examples:
  penstock predict --head ss3 --text MKTAYIAKQRQISFVKSHFSRQ
  penstock predict --head ss3 --file proteins.fasta
  penstock predict --head ss3 proteins > proteins.ss
  penstock --json predict --head ss3 --text MKTAYIAKQRQISFVKSHFSRQ";

pub(super) const HEADS: &str = "Examples:
  penstock heads
  penstock heads ss3
  penstock --json heads";

pub(super) const INDEX: &str = "Examples:
  penstock index proteins protein_kmer_v1
  penstock index proteins protein_kmer_v1 --type ivf_pq --metric l2
  penstock index proteins description --type words
  penstock index proteins sequence --type substrings
  penstock index proteins protein_kmer_v1 --measure
  penstock index proteins protein_kmer_v1 --min-recall 0.99";

pub(super) const WARM: &str = "Examples:
  penstock warm proteins protein_kmer_v1
  penstock --server http://127.0.0.1:7370 warm proteins protein_kmer_v1 --metric l2
  penstock serve --warm proteins.protein_kmer_v1 --memory 8G";

pub(super) const SEARCH: &str = "Examples:
  penstock search proteins --id d12asa_
  penstock search proteins --text MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ -k 5
  penstock search genomes --file contig.fasta --where \"length > 1000\"
  penstock search meshes --file wing.stl --exact --columns name,area,watertight
  penstock search proteins --id d12asa_ --min-recall 0.99 --explain
  penstock search proteins --id d12asa_ --radius 0.3 -k 1000
  penstock search proteins --id d12asa_ --rerank alignment --candidates 200
  penstock search proteins --text MKTAYIAKQRQISFVK --words \"serine kinase\" --diversity 0.5
  penstock search genomes --file contig.fasta --group-by parent --group-size 2
  penstock search proteins --vector \"[0.1, 0.2, ...]\" --metric l2 --at release-2026-11";

pub(super) const LATE: &str = "Examples:
  penstock late proteins --id d12asa_ -k 5
  penstock late proteins --text MKTAYIAKQRQISFVKSHFSRQ --candidates 200
  penstock embed --encoder NAME:none --text MKTAYIAK --json | penstock late proteins --vectors -";

pub(super) const MOTIF: &str = "Examples:
  penstock motif proteins \"[AG]-x(4)-G-K-[ST]\"
  penstock motif proteins \"N-{P}-[ST]-{P}\" --where \"length < 500\" --limit 20
  penstock motif genomes GAATTC --both-strands
  penstock --json motif proteins \"<M-x(20,40)-C\"

Elements stand side by side or with - between them: A this letter, x any, [ST] one of these, {P}
any but these, (3) or (2,4) behind an element repeats it, < and > are the ends of the sequence. In
DNA the codes of IUPAC hold: R is [AG], N any.

Without an index every sequence is read; `penstock index TABLE sequence --type substrings` makes one
that helps where the pattern has a rare literal part.";

pub(super) const SQL: &str = "Examples:
  penstock sql \"SELECT kind, count(*) FROM proteins GROUP BY kind\"
  penstock sql \"SELECT id, length FROM at('proteins', 3) ORDER BY length DESC LIMIT 5\"
  penstock sql \"SELECT id, distance FROM vector_search('proteins', 'protein_kmer_v1', 'id:d12asa_', 5)\"
  penstock --json sql \"SELECT id, gc FROM genomes WHERE parent IS NULL\"
  penstock sql - < query.sql";

pub(super) const VERIFY: &str = "Examples:
  penstock verify
  penstock verify proteins --all-versions";

pub(super) const COMPACT: &str = "Examples:
  penstock compact
  penstock compact proteins";

pub(super) const GC: &str = "Examples:
  penstock gc
  penstock gc proteins --older-than 30d";

pub(super) const ENCODERS: &str = "Examples:
  penstock encoders
  penstock encoders --checkpoints ./models";

pub(super) const OPENAPI: &str = "Examples:
  penstock openapi > openapi.json";

pub(super) const SNAPSHOT: &str = "Examples:
  penstock snapshot create training --table proteins --columns id,protein_kmer_v1
  penstock snapshot list
  penstock snapshot show training";

pub(super) const SNAPSHOT_CREATE: &str = "Examples:
  penstock snapshot create training --table proteins
  penstock snapshot create short --table proteins --columns id,sequence --where \"length < 100\"
  penstock snapshot create before --table proteins --version 3";

pub(super) const SNAPSHOT_LIST: &str = "Examples:
  penstock snapshot list";

pub(super) const SNAPSHOT_SHOW: &str = "Examples:
  penstock snapshot show training
  penstock --json snapshot show training";

pub(super) const EXPORT: &str = "Examples:
  penstock export training --format zarr --out ./training.zarr
  penstock export training --format parquet --out ./training
  penstock export training --format npy --out ./rank0 --rank 0 --of 4";

pub(super) const INGEST: &str = "Examples:
  penstock ingest proteins swissprot.fasta.gz
  penstock ingest genomes ecoli.fna.gz plasmids.gb reads.fastq
  penstock ingest meshes ./geometry --on-error skip
  penstock ingest proteins structures.zip --no-encode
  penstock ingest networks hprd.graph
  penstock ingest proteins proteins.fasta --encoder facebook/esm2_t6_8M_UR50D
  zcat proteins.fasta.gz | penstock ingest proteins - --kind protein";

pub(super) const SERVE: &str = "Examples:
  penstock serve
  penstock serve --listen 127.0.0.1:0 --flight 127.0.0.1:0 --json
  penstock --store s3://bucket/prefix --s3-endpoint http://127.0.0.1:9000 serve
  penstock serve --download
  penstock serve --warm proteins.protein_kmer_v1 --memory 8G

Then:
  curl http://127.0.0.1:7370/v1/tables
  penstock --server http://127.0.0.1:7370 tables
  http://127.0.0.1:7370/docs        every request, to try out in a browser";

pub(super) const DEMO: &str = "Examples:
  penstock demo
  penstock demo --dir /tmp/penstock-demo";
