//! What a request asks for beside its texts, as fixed names for policy; and endpoints of its own, which it may not name.
//!
//! | name | the request |
//! | --- | --- |
//! | `n` | asks for several answers (`n`, `best_of`) |
//! | `store` | lets upstream keep the answer; in Responses also by saying nothing, for that is its default |
//! | `background` | runs on without the connection |
//! | `logprobs` | asks for the answer token by token (`logprobs`, `top_logprobs`, or in `include`) |
//! | `echo` | asks for the prompt back |
//! | `suffix` | gives the text behind the place to fill |
//! | `previous_response_id`, `conversation`, `stored_prompt` | builds on what upstream keeps and nobody here sees |
//! | `remote_mcp` | lets upstream call MCP servers |
//! | `hosted_tool` | lets upstream search, run code, or use a computer or files |
//! | `media` | brings pictures, sound or film, or asks for sound |
//! | `file` | brings files or documents |
//! | `large_max_tokens` | asks for an answer of more than 32,768 tokens |

use std::collections::BTreeSet;

use super::{Dialect, Malformed};
use crate::json::{Kind, Value};

/// More tokens than this are a large answer.
const LARGE: u64 = 32_768;

/// The names of the table above that apply.
///
/// # Errors
/// The request names an endpoint, or access to one, of its own: the gateway chooses both.
pub(super) fn of(dialect: Dialect, root: Value<'_>) -> Result<BTreeSet<String>, Malformed> {
    let mut look = Look::default();
    // Arguments of tools are all that JSON-RPC carries: their names mean what the tool says.
    if dialect == Dialect::Mcp {
        return Ok(look.names);
    }
    for (name, member) in root.entries() {
        look.member(dialect, &name, member);
        look.endpoints(&name, member, Within::of(&name))?;
    }
    if dialect == Dialect::Responses && root.get("store").is_none() {
        look.add("store");
    }
    Ok(look.names)
}

#[derive(Default)]
struct Look {
    names: BTreeSet<String>,
}

/// What a value belongs to: other names count in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Conversation,
    Tools,
    Format,
    Metadata,
    Other,
}

impl Within {
    fn of(name: &str) -> Self {
        match name {
            "messages" | "input" | "system" | "instructions" | "prompt" => Self::Conversation,
            "tools" | "functions" => Self::Tools,
            "response_format" | "text" | "output_format" | "output_config" => Self::Format,
            "metadata" | "client_metadata" => Self::Metadata,
            _ => Self::Other,
        }
    }

    /// Whether a member holds arguments, results or a schema: there a tool's own names stand.
    fn is_foreign(self, name: &str) -> bool {
        match self {
            Self::Conversation => matches!(
                name,
                "arguments"
                    | "args"
                    | "input"
                    | "output"
                    | "outputs"
                    | "result"
                    | "results"
                    | "action"
                    | "parameters"
                    | "input_schema"
                    | "schema"
                    | "json"
                    | "data"
            ),
            Self::Tools => matches!(
                name,
                "parameters" | "input_schema" | "inputSchema" | "output_schema" | "schema" | "input_examples"
            ),
            Self::Format => name == "schema",
            Self::Metadata | Self::Other => false,
        }
    }
}

impl Look {
    fn add(&mut self, name: &str) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }

    fn member(&mut self, dialect: Dialect, name: &str, value: Value<'_>) {
        let is_asked = !value.is_null() && value.as_bool() != Some(false);
        if !is_asked {
            return;
        }
        match name {
            "n" | "best_of" if value.as_u64() != Some(1) => self.add("n"),
            "store" | "background" | "echo" | "suffix" | "previous_response_id" | "conversation" => {
                self.add(name);
            }
            "prompt" if dialect == Dialect::Responses => self.add("stored_prompt"),
            // Of completions, 0 asks for those of the chosen tokens.
            "logprobs" => self.add("logprobs"),
            "top_logprobs" if value.as_u64() != Some(0) => self.add("logprobs"),
            "include" => {
                let asks = |item: Value<'_>| item.as_str().is_some_and(|text| text.contains("logprobs"));
                if value.items().any(asks) {
                    self.add("logprobs");
                }
            }
            // Another form of number (`1e9`) is not known to be small.
            "max_tokens" | "max_completion_tokens" | "max_output_tokens"
                if value.as_u64().is_none_or(|tokens| tokens > LARGE) =>
            {
                self.add("large_max_tokens");
            }
            "mcp_servers" => self.add("remote_mcp"),
            "web_search_options" => self.add("hosted_tool"),
            "audio" => self.add("media"),
            "modalities" => {
                let is_sound = |item: Value<'_>| item.as_str().is_some_and(|text| text != "text");
                if value.items().any(is_sound) {
                    self.add("media");
                }
            }
            "tools" => value.items().for_each(|tool| self.tool(tool)),
            _ => {}
        }
    }

    fn tool(&mut self, tool: Value<'_>) {
        let kind = tool.get_str("type").unwrap_or_default();
        if kind == "mcp" || kind == "mcp_toolset" {
            self.add("remote_mcp");
        }
        let hosted = [
            "web_search",
            "web_fetch",
            "code_interpreter",
            "code_execution",
            "computer",
            "file_search",
            "image_generation",
        ];
        if hosted.iter().any(|name| kind.starts_with(name)) {
            self.add("hosted_tool");
        }
    }

    /// Looks through a value for endpoints and, in the conversation, for what is no text. Depth is bounded by the parser.
    fn endpoints(&mut self, name: &str, value: Value<'_>, within: Within) -> Result<(), Malformed> {
        if within == Within::Conversation {
            self.part(value);
        }
        let is_mcp = within == Within::Tools && value.get_str("type").is_some_and(|kind| kind == "mcp");
        for item in value.items() {
            self.endpoints(name, item, within)?;
        }
        for (name, member) in value.entries() {
            let is_server = is_mcp && matches!(&*name, "server_url" | "headers");
            if is_server || within.is_foreign(&name) {
                continue;
            }
            self.endpoints(&name, member, within)?;
        }
        let says = match value.kind() {
            Kind::String => value.raw().len() > 2,
            Kind::Array => value.items().next().is_some(),
            Kind::Object => value.entries().next().is_some(),
            _ => false,
        };
        match endpoint(name, within) {
            Some(known) if says => Err(Malformed::new(format!(
                "it names an endpoint, or access to one, of its own (`{known}`), which the gateway chooses"
            ))),
            _ => Ok(()),
        }
    }

    fn part(&mut self, value: Value<'_>) {
        let Some(kind) = value.get_str("type") else { return };
        match &*kind {
            "image"
            | "image_url"
            | "input_image"
            | "audio"
            | "input_audio"
            | "video"
            | "video_url"
            | "input_video"
            | "computer_screenshot" => self.add("media"),
            "file" | "input_file" | "document" | "container_upload" => self.add("file"),
            _ => {}
        }
    }
}

/// The member as such products call it: where to send to, as whom, through whom. In any of the usual spellings.
fn endpoint(name: &str, within: Within) -> Option<&'static str> {
    if name.len() > 40 {
        return None;
    }
    let plain = name.bytes().filter(u8::is_ascii_alphanumeric);
    let plain: String = plain.map(|b| char::from(b.to_ascii_lowercase())).collect();
    // Meant for nothing else.
    let known = match plain.as_str() {
        "apibase" => "api_base",
        "baseurl" | "apibaseurl" | "openaibaseurl" | "anthropicbaseurl" => "base_url",
        "apiurl" => "api_url",
        "apikey" | "openaiapikey" | "anthropicapikey" => "api_key",
        "apiendpoint" | "endpointurl" | "azureendpoint" | "customendpoint" => "endpoint",
        "proxyurl" | "httpproxy" | "httpsproxy" => "proxy",
        "webhookurl" => "webhook_url",
        "callbackurl" => "callback_url",
        "litellmparams" => "litellm_params",
        "extraheaders" => "extra_headers",
        "awsbedrockruntimeendpoint" => "aws_bedrock_runtime_endpoint",
        "awsaccesskeyid" => "aws_access_key_id",
        "awssecretaccesskey" => "aws_secret_access_key",
        "awssessiontoken" => "aws_session_token",
        "vertexcredentials" => "vertex_credentials",
        _ => "",
    };
    // Words that a person's own notes may have as well.
    let known = match plain.as_str() {
        _ if !known.is_empty() || within == Within::Metadata => known,
        "endpoint" => "endpoint",
        "proxy" => "proxy",
        "webhook" => "webhook",
        "serverurl" => "server_url",
        "organization" | "organisation" | "organizationid" => "organization",
        _ => "",
    };
    (!known.is_empty()).then_some(known)
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod parameters_tests;
