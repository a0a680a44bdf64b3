//! What can go wrong.

/// Shorthand of this crate.
pub type Result<T, E = PatternError> = std::result::Result<T, E>;

/// Why a graph, a pattern or a file was refused, or a search could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// More vertices or arcs than 32 bits number.
    #[error("a graph holds at most 2^32 - 2 vertices and 2^31 edges; this one has more {what}")]
    TooLarge {
        /// Vertices or edges.
        what: &'static str,
    },
    /// An edge ends at a vertex that is not there.
    #[error("edge {edge} ends at vertex {vertex}, and there are {vertices} vertices")]
    UnknownVertex {
        /// The edge, from 0, in the order in which edges were added.
        edge: usize,
        /// The vertex.
        vertex: u64,
        /// Vertices there are.
        vertices: usize,
    },
    /// An edge from a vertex to itself.
    #[error("edge {edge} joins vertex {vertex} to itself; graphs here have no loops")]
    Loop {
        /// The edge, from 0.
        edge: usize,
        /// The vertex.
        vertex: u32,
    },
    /// A second edge between two vertices.
    #[error("vertices {from} and {to} are joined twice; graphs here have no parallel edges")]
    Parallel {
        /// Where the edges start.
        from: u32,
        /// Where they end.
        to: u32,
    },
    /// An edge between two graphs of a union.
    #[error("an edge joins vertex {from} to vertex {to} of another graph of the union")]
    Across {
        /// Where it starts.
        from: u32,
        /// Where it ends.
        to: u32,
    },
    /// A column of attributes with the wrong number of values.
    #[error("attribute `{column}` has {given} values for {expected} {what}")]
    Length {
        /// The column.
        column: String,
        /// Values it has.
        given: usize,
        /// Values it must have.
        expected: usize,
        /// Vertices or edges.
        what: &'static str,
    },
    /// The starts of a union's graphs are not ascending, or not within the vertices.
    #[error("graph {graph} of the union starts at vertex {start}: starts ascend from 0")]
    Starts {
        /// The graph, from 0.
        graph: usize,
        /// Where it was said to start.
        start: u32,
    },
    /// The pattern has no vertex.
    #[error("the pattern has no vertex")]
    EmptyPattern,
    /// The pattern is too big.
    #[error("the pattern has {vertices} vertices; at most {max} can be matched")]
    PatternTooLarge {
        /// Vertices of the pattern.
        vertices: usize,
        /// The most there can be.
        max: usize,
    },
    /// A label set that is empty, or not ascending.
    #[error("the labels of {what} {index} of the pattern are not an ascending set of at least one")]
    NoLabel {
        /// Vertex or edge.
        what: &'static str,
        /// Which, from 0.
        index: usize,
    },
    /// A tolerance that is negative or not a number, or a value or period that makes no sense.
    #[error(
        "attribute `{column}` of {what} {index} of the pattern asks for {value} within \
         {tolerance}: values are finite, tolerances not negative, periods positive"
    )]
    Tolerance {
        /// Vertex or edge.
        what: &'static str,
        /// Which, from 0.
        index: usize,
        /// The column.
        column: String,
        /// The value asked for.
        value: f32,
        /// How far from it.
        tolerance: f32,
    },
    /// Pattern and graph disagree on whether edges have a direction.
    #[error("the pattern is {pattern} and the graph {graph}")]
    Direction {
        /// `directed` or `undirected`.
        pattern: &'static str,
        /// `directed` or `undirected`.
        graph: &'static str,
    },
    /// The pattern constrains an attribute that the graph lacks.
    #[error("the graph has no {what} attribute `{column}`; it has {known}")]
    UnknownAttribute {
        /// Vertex or edge.
        what: &'static str,
        /// The column.
        column: String,
        /// The columns there are, in words.
        known: String,
    },
    /// The pattern names its labels and the graph only numbers them.
    #[error("the pattern names its {what} labels, and the graph has numbers only")]
    Unnamed {
        /// Vertex or edge.
        what: &'static str,
    },
    /// An option of a search or a recipe out of bounds.
    #[error("option `{option}` is {given}; it must be from {min} to {max}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was asked for.
        given: usize,
        /// The least there can be.
        min: usize,
        /// The most there can be.
        max: usize,
    },
    /// An option of a search that is a share, out of bounds.
    #[error("option `{option}` is {given}; it must be {expected}")]
    Share {
        /// The option.
        option: &'static str,
        /// What was asked for.
        given: f64,
        /// What it may be, in words.
        expected: &'static str,
    },
    /// An anchor, or an image, that is not there.
    #[error("{what} {vertex} is not one of the {vertices} there are")]
    NoVertex {
        /// A vertex of the pattern, or of the graph.
        what: &'static str,
        /// The vertex.
        vertex: u32,
        /// Vertices there are.
        vertices: usize,
    },
    /// A mapping that is not as long as the pattern, or takes a vertex twice.
    #[error(
        "a mapping has an entry for each of the pattern's {vertices} vertices, no vertex twice"
    )]
    Mapping {
        /// Vertices of the pattern.
        vertices: usize,
    },
    /// The threads of a search could not be started.
    #[error("the threads of a search could not be started")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// A line of a file is wrong.
    #[error("line {line}: {fault}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A byte of an XML file is wrong.
    #[error("byte {byte}: {fault}")]
    Byte {
        /// The offset, from 0.
        byte: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// The file cannot be read as XML.
    #[error("byte {byte}: not well-formed XML")]
    Xml {
        /// The offset, from 0.
        byte: u64,
        /// What the parser says.
        #[source]
        source: quick_xml::Error,
    },
    /// The file cannot be read as JSON.
    #[error("the pattern is not valid JSON")]
    Json(#[from] serde_json::Error),
    /// A member of a pattern in JSON is wrong.
    #[error("{at}: {fault}")]
    Member {
        /// Which one, as a path: `edges[3].label`.
        at: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The file breaks off, or cannot be read or written.
    #[error("reading or writing failed")]
    Io(#[from] std::io::Error),
}

/// What is wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A field is missing.
    #[error("{what} is missing")]
    Missing {
        /// The field.
        what: &'static str,
    },
    /// A field that cannot be read.
    #[error("{what} is `{text}`; {wanted} is wanted")]
    Field {
        /// The field.
        what: &'static str,
        /// What stands there.
        text: String,
        /// What should stand there.
        wanted: &'static str,
    },
    /// More than the format has.
    #[error("`{text}` is one field too many")]
    Extra {
        /// The field.
        text: String,
    },
    /// A vertex that was not announced.
    #[error("vertex {vertex} is not one of the {vertices} announced")]
    Vertex {
        /// The vertex, as the file numbers it.
        vertex: String,
        /// How many were announced.
        vertices: u64,
    },
    /// Vertices that do not follow each other.
    #[error("vertex {found} stands where {expected} should")]
    Sequence {
        /// What stands there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// Counts of the heading that the rest contradicts.
    #[error("the heading announces {announced} {what}, and there are {found}")]
    Count {
        /// Vertices or edges.
        what: &'static str,
        /// What the heading says.
        announced: u64,
        /// What there is.
        found: u64,
    },
    /// A degree that the edges contradict.
    #[error("vertex {vertex} is said to have {announced} edges and has {found}")]
    Degree {
        /// The vertex, from 0.
        vertex: u32,
        /// What its line says.
        announced: u64,
        /// What there is.
        found: u64,
    },
    /// Some edges have what others lack.
    #[error("edges have {what} either all or none")]
    Mixed {
        /// Labels or weights.
        what: &'static str,
    },
    /// Something given a second time.
    #[error("{what} `{text}` was given before")]
    Twice {
        /// What.
        what: &'static str,
        /// Its name.
        text: String,
    },
    /// A name that nothing was announced under.
    #[error("{what} `{text}` is not known here")]
    Unknown {
        /// What.
        what: &'static str,
        /// Its name.
        text: String,
    },
    /// Something that the format has and graphs here lack.
    #[error("{what} cannot be represented")]
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// An edge that is listed at one of its ends only.
    #[error("edge {from} - {to} is not listed the same at both ends")]
    OneSided {
        /// One end, as the file numbers it.
        from: u64,
        /// The other.
        to: u64,
    },
    /// A loop.
    #[error("vertex {vertex} is joined to itself")]
    Loop {
        /// The vertex, as the file numbers it.
        vertex: String,
    },
}
