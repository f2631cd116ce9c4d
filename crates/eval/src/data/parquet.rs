//! Apache Parquet, row by row.

use super::columns::{Columns, Numbers};
use super::{Outline, Records, file};
use crate::EvalError;
use parquet::basic::{LogicalType, Type};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Map, Value};
use std::path::Path;

/// From the schema: floats have one width or another in all rows.
pub fn outline(path: &Path) -> Result<Outline, EvalError> {
    let reader = SerializedFileReader::new(file(path)?).map_err(|error| EvalError::data(path, error.to_string()))?;
    let metadata = reader.metadata().file_metadata();
    let mut columns = Columns::default();
    for field in metadata.schema().get_fields() {
        let half = field.get_basic_info().logical_type_ref() == Some(&LogicalType::Float16);
        let floats = field.is_primitive() && (half || matches!(field.get_physical_type(), Type::FLOAT | Type::DOUBLE));
        columns.insert(field.name(), if floats { Numbers::Floats } else { Numbers::Integers });
    }
    Ok(Outline { rows: metadata.num_rows().max(0) as usize, columns })
}

/// Row groups are read as their rows are asked for.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let reader = SerializedFileReader::new(file(path)?).map_err(|error| EvalError::data(path, error.to_string()))?;
    let path = path.to_owned();
    let rows = RowIter::from_file_into(Box::new(reader)).enumerate();
    Ok(Box::new(rows.map(move |(index, row)| {
        let problem = |problem: String| EvalError::data(&path, format!("row {}: {problem}", index + 1));
        let row = row.map_err(|error| problem(error.to_string()))?;
        record(row).map_err(problem)
    })))
}

fn record(row: Row) -> Result<Value, String> {
    let fields = row.into_columns().into_iter().map(|(name, field)| {
        let value = value(&field).map_err(|problem| format!("column `{name}` {problem}"))?;
        Ok((name, value))
    });
    Ok(Value::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}

fn value(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => Value::from(value.to_f64()),
        Field::Float(value) => Value::from(f64::from(*value)),
        Field::Double(value) => Value::from(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => {
            Value::from(std::str::from_utf8(bytes.data()).map_err(|_| "holds bytes that are no text".to_owned())?)
        }
        Field::Group(row) => object(row.get_column_iter())?,
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect::<Result<_, _>>()?),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, entry)| match key {
                Field::Str(key) => Ok((key.clone(), value(entry)?)),
                key => Err(format!("holds a map with the key {key}, only texts can be keys")),
            });
            Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
        }
        other => return Err(format!("holds {other}, which no template can use: dates and decimals are not read")),
    })
}

fn object<'a>(columns: impl Iterator<Item = (&'a String, &'a Field)>) -> Result<Value, String> {
    let fields = columns.map(|(name, field)| Ok((name.clone(), value(field)?)));
    Ok(Value::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}
