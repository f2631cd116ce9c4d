//! Apache Parquet, row by row. Moments are written in UTC: in which zone they were written down, Parquet does not say.

mod python;

use super::columns::{Columns, Numbers};
use super::{Outline, Records, file};
use crate::EvalError;
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};
use std::path::Path;

/// From the schema: floats have one width or another in all rows.
pub fn outline(path: &Path) -> Result<Outline, EvalError> {
    let reader = SerializedFileReader::new(file(path)?).map_err(|error| EvalError::data(path, error.to_string()))?;
    let metadata = reader.metadata().file_metadata();
    let mut columns = Columns::default();
    for field in metadata.schema().get_fields() {
        let half = field.get_basic_info().logical_type_ref() == Some(&LogicalType::Float16);
        let floats =
            field.is_primitive() && (half || matches!(field.get_physical_type(), Physical::FLOAT | Physical::DOUBLE));
        columns.insert(field.name(), if floats { Numbers::Floats } else { Numbers::Integers });
    }
    Ok(Outline { rows: metadata.num_rows().max(0) as usize, columns })
}

/// Row groups are read as their rows are asked for.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let reader = SerializedFileReader::new(file(path)?).map_err(|error| EvalError::data(path, error.to_string()))?;
    let schema = reader.metadata().file_metadata().schema_descr().root_schema_ptr();
    readable(&schema).map_err(|problem| EvalError::data(path, problem))?;
    let path = path.to_owned();
    let rows = RowIter::from_file_into(Box::new(reader)).enumerate();
    Ok(Box::new(rows.map(move |(index, row)| {
        let problem = |problem: String| EvalError::data(&path, format!("row {}: {problem}", index + 1));
        let row = row.map_err(|error| problem(error.to_string()))?;
        record(row, &schema).map_err(problem)
    })))
}

/// Refuses schemas on which the reader of rows panics: lists and maps that are none, groups of nothing, intervals.
fn readable(of: &Type) -> Result<(), String> {
    let repeated = |of: &Type| !of.is_schema() && of.get_basic_info().repetition() == Repetition::REPEATED;
    let whole = match (of.get_basic_info().converted_type(), fields(of)) {
        (ConvertedType::INTERVAL, _) => {
            return Err(format!("column `{}` holds intervals, which are not read", of.name()));
        }
        (_, []) => of.is_primitive(),
        (ConvertedType::LIST, [only]) => repeated(only),
        (ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE, [only]) => {
            repeated(only) && matches!(fields(only), [_] | [_, _])
        }
        (ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE, _) => false,
        _ => true,
    };
    if !whole {
        return Err(format!("`{}` is no group, list or map of anything", of.name()));
    }
    fields(of).iter().try_for_each(|field| readable(field))
}

fn record(row: Row, schema: &Type) -> Result<Value, String> {
    let fields = row.into_columns().into_iter().zip(schema.get_fields()).map(|((name, field), of)| {
        let value = value(&field, of).map_err(|problem| format!("column `{name}` {problem}"))?;
        Ok((name, value))
    });
    Ok(Value::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}

/// A value of a type; dates, times and decimals are texts.
fn value(field: &Field, of: &Type) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => whole(i64::from(*value), of)?,
        Field::Long(value) => whole(*value, of)?,
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => Value::from(value.to_f64()),
        Field::Float(value) => Value::from(f64::from(*value)),
        Field::Double(value) => Value::from(*value),
        Field::Decimal(_) => Value::from(python::decimal(&field.to_string())),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => {
            Value::from(std::str::from_utf8(bytes.data()).map_err(|_| "holds bytes that are no text".to_owned())?)
        }
        Field::Date(days) => Value::from(python::date(*days)?),
        Field::TimeMillis(count) => time(i64::from(*count), TimeUnit::MILLIS)?,
        Field::TimeMicros(count) => time(*count, TimeUnit::MICROS)?,
        Field::TimestampMillis(count) => timestamp(*count, TimeUnit::MILLIS, of)?,
        Field::TimestampMicros(count) => timestamp(*count, TimeUnit::MICROS, of)?,
        Field::Group(row) => object(row, of)?,
        Field::ListInternal(list) => {
            let values = list.elements().iter().map(|field| value(field, element(of)));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, entry)| match key {
                Field::Str(key) => Ok((key.clone(), value(entry, element(of))?)),
                key => Err(format!("holds a map with the key {key}, only texts can be keys")),
            });
            Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

/// A whole number, or nanoseconds, which the reader of rows takes for one.
fn whole(count: i64, of: &Type) -> Result<Value, String> {
    match of.get_basic_info().logical_type_ref() {
        Some(LogicalType::Time(kind)) => time(count, kind.unit),
        Some(LogicalType::Timestamp(kind)) => timestamp(count, kind.unit, of),
        _ => Ok(Value::from(count)),
    }
}

fn time(count: i64, unit: TimeUnit) -> Result<Value, String> {
    Ok(Value::from(python::time(count, python::nanoseconds(unit))?))
}

/// Of old files the type without a logical one is of moments, but for the 96 bits of still older ones.
fn timestamp(count: i64, unit: TimeUnit, of: &Type) -> Result<Value, String> {
    let moment = match of.get_basic_info().logical_type_ref() {
        Some(LogicalType::Timestamp(kind)) => kind.is_adjusted_to_u_t_c,
        _ => of.is_primitive() && of.get_physical_type() == Physical::INT64,
    };
    Ok(Value::from(python::timestamp(count, python::nanoseconds(unit), moment)?))
}

fn object(row: &Row, of: &Type) -> Result<Value, String> {
    let fields = row.get_column_iter().zip(fields(of));
    let fields = fields.map(|((name, field), of)| Ok((name.clone(), value(field, of)?)));
    Ok(Value::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}

fn fields(of: &Type) -> &[TypePtr] {
    if of.is_group() { of.get_fields() } else { &[] }
}

/// The type of the elements of a list, or of the values of a map, in the layouts that writers have had: the list's own type,
/// its only field's, or that of the field within.
fn element(of: &Type) -> &Type {
    let annotated = of.get_basic_info().converted_type() != ConvertedType::NONE;
    let Some(repeated) = fields(of).first().filter(|_| annotated) else { return of };
    let map = of.get_basic_info().converted_type() != ConvertedType::LIST;
    let itself = repeated.name() == "array" || repeated.name().ends_with("_tuple");
    match fields(repeated) {
        [.., last] if map => last,
        [only] if !itself => only,
        _ => repeated,
    }
}
