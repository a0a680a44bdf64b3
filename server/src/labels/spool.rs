//! The texts of a label file, in a temporary file, and where each lies.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, PoisonError};

use penstock::GivenLabels;

use super::{LabelError, MOST_RECORDS};

/// The first 16 bytes of an id's BLAKE3: 2^64 ids before two are likely to agree.
type Key = [u8; 16];

fn key_of(id: &str) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    key
}

/// Where a text lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    from: u64,
    bytes: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Places {
    labels: Option<Place>,
    mask: Option<Place>,
    group: Option<Place>,
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Labels,
    Mask,
    Group,
}

/// Takes in the texts.
pub(super) struct Spool {
    name: String,
    file: BufWriter<File>,
    at: u64,
    places: HashMap<Key, Places>,
}

/// Gives them back.
#[derive(Debug)]
pub(super) struct Spooled {
    name: String,
    file: Mutex<File>,
    places: HashMap<Key, Places>,
}

impl Spool {
    pub(super) fn new(name: &str) -> Result<Self, LabelError> {
        let file = tempfile::tempfile().map_err(|error| LabelError::Io {
            file: name.to_owned(),
            error,
        })?;
        Ok(Self {
            name: name.to_owned(),
            file: BufWriter::new(file),
            at: 0,
            places: HashMap::new(),
        })
    }

    /// The file's name, for messages.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn io(&self) -> impl Fn(io::Error) -> LabelError + use<> {
        let file = self.name();
        move |error| LabelError::Io {
            file: file.clone(),
            error,
        }
    }

    /// Keeps a text of an id.
    pub(super) fn add(&mut self, id: &str, part: Part, text: &str) -> Result<(), LabelError> {
        let key = key_of(id);
        if self.places.len() == MOST_RECORDS && !self.places.contains_key(&key) {
            return Err(LabelError::TooMuch {
                file: self.name(),
                what: "more than 16 million records",
            });
        }
        let bytes = u32::try_from(text.len()).map_err(|_| LabelError::TooMuch {
            file: self.name(),
            what: "a record of more than 4 GB",
        })?;
        let places = self.places.entry(key).or_default();
        let slot = match part {
            Part::Labels => &mut places.labels,
            Part::Mask => &mut places.mask,
            Part::Group => &mut places.group,
        };
        let place = Place {
            from: self.at,
            bytes,
        };
        if slot.replace(place).is_some() {
            return Err(LabelError::Twice {
                file: self.name(),
                id: id.to_owned(),
            });
        }
        self.at += u64::from(bytes);
        let written = self.file.write_all(text.as_bytes());
        written.map_err(self.io())
    }

    pub(super) fn finish(self) -> Result<Spooled, LabelError> {
        let io = self.io();
        if self.places.values().all(|places| places.labels.is_none()) {
            return Err(LabelError::Empty { file: self.name });
        }
        let file = self.file.into_inner();
        Ok(Spooled {
            file: Mutex::new(file.map_err(|error| io(error.into_error()))?),
            name: self.name,
            places: self.places,
        })
    }
}

impl Spooled {
    /// What there is of an id; a mask alone is nothing.
    pub(super) fn find(&self, id: &str) -> Result<Option<GivenLabels>, LabelError> {
        let Some(places) = self.places.get(&key_of(id)) else {
            return Ok(None);
        };
        let Some(labels) = self.text(places.labels)? else {
            return Ok(None);
        };
        Ok(Some(GivenLabels {
            lines: labels.split('\n').map(str::to_owned).collect(),
            mask: self.text(places.mask)?.map(|mask| mask.replace('\n', "")),
            group: self.text(places.group)?,
        }))
    }

    fn text(&self, place: Option<Place>) -> Result<Option<String>, LabelError> {
        let Some(place) = place else {
            return Ok(None);
        };
        let mut bytes = vec![0; place.bytes as usize];
        // Nothing is left half done in a file that is only read.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.from))
            .and_then(|_| file.read_exact(&mut bytes))
            .and_then(|()| String::from_utf8(bytes).map_err(io::Error::other))
            .map(Some)
            .map_err(|error| LabelError::Io {
                file: self.name.clone(),
                error,
            })
    }
}
