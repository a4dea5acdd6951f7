//! Calling a function with arguments that a person wrote, and writing down what it returned.

use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use wattle_lattice::call::{CallBody, InvokeRequest, ReplyBody};
use wattle_types::{ActorId, InterfaceName};
use wattle_value::packed::Reader;
use wattle_value::{FuncType, Signatures, Value, wave};

use super::ask::{ask, describe};
use super::json;
use crate::lattice::Lattice;
use crate::output::{Format, OutputArgs, line};

/// `namespace:package/interface.function`, with or without a version before the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionName {
    interface: InterfaceName,
    function: String,
}

impl FunctionName {
    /// The function of HTTP components, which is called by a request.
    pub(super) fn is_http(&self) -> bool {
        self.interface.path() == "wasi:http/incoming-handler" && self.function == "handle"
    }
}

impl FromStr for FunctionName {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let form = || {
            "a function is written namespace:package/interface.function; `wattle call ID --list` \
             shows those of an actor"
                .to_owned()
        };
        // The version has dots as well, the function has none.
        let (interface, function) = raw.rsplit_once('.').ok_or_else(form)?;
        let interface = interface.parse().map_err(|_| form())?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if function.is_empty() || !function.chars().all(fits) {
            return Err(form());
        }
        Ok(Self { interface, function: function.to_owned() })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

pub(super) async fn call(
    lattice: &Lattice,
    id: &ActorId,
    name: &FunctionName,
    args: &[String],
    output: OutputArgs,
) -> Result<ExitCode> {
    let signatures = describe(lattice, id).await?;
    let (interface, func) = choose(&signatures, id, name)?;
    let args = wave::args(func, &args.join(", "))
        .with_context(|| format!("the arguments do not fit {}: {func}", name.function))?;
    let body = CallBody::Invoke(InvokeRequest {
        interface: interface.clone(),
        function: name.function.as_str().into(),
        args,
    });
    let (ReplyBody::Value(result), _) = ask(lattice, id, body, Some(func.fingerprint())).await?
    else {
        bail!("{id} answered with something else than a value");
    };
    let unreadable = || format!("the result of {name} cannot be read");
    let text = wave::result(func, &result).with_context(unreadable)?;
    let value = func.result.as_ref().map(|ty| Value::unpack(ty, &mut Reader::new(&result)));
    let value = value.transpose().with_context(unreadable)?;
    match output.output {
        Format::Json => output.print(&value.as_ref().map(json::of), |_| String::new()),
        Format::Text if text.is_empty() => {}
        Format::Text => line(text),
    }
    Ok(match value {
        Some(Value::Result(Err(_))) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// The function of that name, or what there is instead.
fn choose<'a>(
    signatures: &'a Signatures,
    id: &ActorId,
    name: &FunctionName,
) -> Result<(&'a InterfaceName, &'a FuncType)> {
    if let Some(found) = signatures.find(&name.interface, &name.function) {
        return Ok(found);
    }
    let fits = |found: &&InterfaceName| name.interface.fits(found);
    let Some(interface) = signatures.0.keys().find(fits) else {
        let offered: Vec<String> = signatures.0.keys().map(ToString::to_string).collect();
        return Err(if offered.is_empty() {
            anyhow!("{id} has no functions that can be called")
        } else {
            anyhow!("{id} exports no {}; it exports {}", name.interface, offered.join(", "))
        });
    };
    let offered: Vec<&str> = signatures.0[interface].keys().map(String::as_str).collect();
    bail!("{interface} of {id} has no function {}; it has {}", name.function, offered.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wattle_value::Type;

    use super::*;

    fn signatures() -> Signatures {
        let add = FuncType { params: Vec::new(), result: Some(Type::U32), is_async: false };
        let functions = BTreeMap::from([("add".to_owned(), add)]);
        Signatures(BTreeMap::from([("acme:maths/sums@1.2.0".parse().unwrap(), functions)]))
    }

    fn chosen(name: &str) -> Result<String, String> {
        let (signatures, name) = (signatures(), name.parse::<FunctionName>()?);
        let found = choose(&signatures, &"sums".parse().unwrap(), &name);
        found.map(|(interface, _)| interface.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_is_found_with_and_without_its_version() {
        for name in ["acme:maths/sums.add", "acme:maths/sums@1.0.0.add"] {
            assert_eq!(chosen(name).unwrap(), "acme:maths/sums@1.2.0");
        }
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let cases = [
            ("acme:maths/sums.sub", "it has add"),
            ("acme:maths/sums@2.0.0.add", "it exports acme:maths/sums@1.2.0"),
            ("acme:maths/products.mul", "it exports acme:maths/sums@1.2.0"),
            ("add", "namespace:package/interface.function"),
            ("acme:maths.add", "namespace:package/interface.function"),
            ("acme:maths/sums.", "namespace:package/interface.function"),
        ];
        for (name, words) in cases {
            let said = chosen(name).unwrap_err();
            assert!(said.contains(words), "{name}: {said}");
        }
    }
}
