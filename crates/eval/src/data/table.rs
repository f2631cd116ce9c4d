//! The files of a split as one table.

use super::columns::{Columns, complete};
use super::{BrokenRows, Format};
use crate::EvalError;
use serde_json::Value;
use std::path::PathBuf;

/// The documents of a split, read anew each time they are asked for: no more than one is held.
pub(crate) enum Table<'a> {
    /// Documents that are there already.
    Given(&'a [Value]),
    /// Documents in files.
    Files {
        /// In their order.
        files: Vec<(PathBuf, Format)>,
        /// What all documents have.
        columns: Columns,
        /// How many there are, without those left out.
        len: usize,
        /// Whether broken rows, of which all was said when the files were read first, are passed over.
        skip: bool,
    },
}

impl<'a> Table<'a> {
    /// Reads files once for the number and the fields of their documents. Of Parquet the schema tells both, unless broken rows
    /// are to be left out.
    ///
    /// # Errors
    /// A file that cannot be read; a broken row, unless those are left out.
    pub fn of_files(files: Vec<(PathBuf, Format)>, broken: &mut BrokenRows) -> Result<Self, EvalError> {
        let (mut columns, mut len) = (Columns::default(), 0);
        for (file, format) in &files {
            if let Some(outline) = format.outline(file)?.filter(|_| !broken.left_out()) {
                columns.join(outline.columns);
                len += outline.rows;
                continue;
            }
            for record in format.open(file)? {
                if let Some(record) = broken.check(record)? {
                    columns.add(&record);
                    len += 1;
                }
            }
        }
        Ok(Self::Files { files, columns, len, skip: broken.left_out() })
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Given(documents) => documents.len(),
            Self::Files { len, .. } => *len,
        }
    }

    /// The documents, one after the other.
    pub fn documents(&self) -> Box<dyn Iterator<Item = Result<Value, EvalError>> + '_> {
        match self {
            Self::Given(documents) => Box::new(documents.iter().cloned().map(Ok)),
            Self::Files { files, columns, skip, .. } => {
                let records = files.iter().flat_map(|(file, format)| match format.open(file) {
                    Ok(records) => records,
                    Err(error) => Box::new(std::iter::once(Err(error))),
                });
                let whole = records.filter(|record| match record {
                    Ok(_) | Err(EvalError::Io { .. }) => true,
                    Err(_) => !*skip,
                });
                Box::new(whole.map(|record| record.map(|document| complete(document, columns))))
            }
        }
    }
}
