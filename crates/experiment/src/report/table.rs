//! A table as CSV and as Apache Parquet.

use crate::ExperimentError;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

/// Columns of equal length.
#[derive(Default)]
pub(super) struct Table {
    names: Vec<&'static str>,
    columns: Vec<Column>,
}

/// The values of a column.
pub(super) enum Column {
    Text(Vec<String>),
    Number(Vec<Option<f64>>),
    Count(Vec<usize>),
}

impl Table {
    pub(super) fn add(&mut self, name: &'static str, column: Column) {
        self.names.push(name);
        self.columns.push(column);
    }

    pub(super) fn csv(&self) -> Result<Vec<u8>, ExperimentError> {
        let failed = |error: csv::Error| ExperimentError::Render(error.to_string());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.names).map_err(failed)?;
        let rows = self.columns.first().map_or(0, Column::len);
        for row in 0..rows {
            writer.write_record(self.columns.iter().map(|column| column.cell(row))).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| ExperimentError::Render(error.to_string()))
    }

    pub(super) fn parquet(&self) -> Result<Vec<u8>, ExperimentError> {
        self.write_parquet().map_err(|error| ExperimentError::Render(error.to_string()))
    }

    fn write_parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let fields = self.names.iter().zip(&self.columns).map(|(name, column)| column.field(name));
        let schema = format!("message table {{ {} }}", fields.collect::<String>());
        let schema = Arc::new(parse_message_type(&schema)?);
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::default()))?;
        let mut group = writer.next_row_group()?;
        for column in &self.columns {
            let mut writer = group
                .next_column()?
                .ok_or_else(|| ParquetError::General("fewer columns in the schema than in the table".to_owned()))?;
            match column {
                Column::Text(values) => {
                    let values: Vec<ByteArray> = values.iter().map(|value| value.as_str().into()).collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                }
                Column::Count(values) => {
                    let values: Vec<i64> = values.iter().map(|&value| value as i64).collect();
                    writer.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Column::Number(values) => {
                    let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                    let values: Vec<f64> = values.iter().flatten().copied().collect();
                    writer.typed::<DoubleType>().write_batch(&values, Some(&there), None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        writer.close()?;
        Ok(bytes)
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Count(values) => values.len(),
        }
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone(),
            Self::Number(values) => values[row].map(|value| value.to_string()).unwrap_or_default(),
            Self::Count(values) => values[row].to_string(),
        }
    }

    fn field(&self, name: &str) -> String {
        match self {
            Self::Text(_) => format!("required binary {name} (UTF8); "),
            Self::Number(_) => format!("optional double {name}; "),
            Self::Count(_) => format!("required int64 {name}; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use junkdna_eval::data::Format;

    #[test]
    fn both_formats_hold_the_same() {
        let mut table = Table::default();
        table.add("name", Column::Text(vec!["a, \"b\"".to_owned(), "ü".to_owned()]));
        table.add("value", Column::Number(vec![Some(0.5), None]));
        table.add("count", Column::Count(vec![3, 4]));
        assert_eq!(table.csv().unwrap(), "name,value,count\n\"a, \"\"b\"\"\",0.5,3\nü,,4\n".as_bytes());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.parquet");
        std::fs::write(&file, table.parquet().unwrap()).unwrap();
        let records: Vec<_> = Format::Parquet.open(&file).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(records[0], serde_json::json!({"name": "a, \"b\"", "value": 0.5, "count": 3}));
        assert_eq!(records[1], serde_json::json!({"name": "ü", "value": null, "count": 4}));
    }
}
