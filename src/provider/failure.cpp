#include "provider/failure.h"

namespace aimeter::provider {
namespace {

bool says_something(const Json& error) {
  switch (error.kind()) {
    case Json::Kind::text:
      return !error.text().empty();
    case Json::Kind::object:
      return error.fields().next();
    case Json::Kind::array:
      return error.items().next();
    case Json::Kind::boolean:
      return error.truth();
    case Json::Kind::whole:
    case Json::Kind::number:
      return true;
    case Json::Kind::absent:
    case Json::Kind::null:
      return false;
  }
  return false;
}

std::string word_of(const Json& value) {
  return value.is(Json::Kind::text) ? safe_word(value.text()) : safe_word(value.number_text());
}

Failure words_of(const Json& error) {
  Failure failure = {};
  for (const std::string_view key : {"type", "status", "__type"})
    if (failure.type.empty()) failure.type = word_of(error.find(key));
  failure.code = word_of(error.find("code"));
  return failure;
}

}  // namespace

std::string safe_word(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:#-";
  if (text.size() > 64 || text.find_first_not_of(kAllowed) != std::string_view::npos) return {};
  return std::string(text);
}

std::optional<Failure> failure_of(const Document& document, Certain certain) {
  for (const Json& error : {document[Key::error], document[Key::response].find("error"),
                            document[Key::x_groq].find("error")}) {
    if (!says_something(error)) continue;
    Failure failure = words_of(error);
    if (failure.code.empty()) failure.code = word_of(document[Key::code]);
    return failure;
  }
  const bool says_error =
      document[Key::type].text() == "error" || document[Key::object].text() == "error";
  if (!says_error && certain == Certain::no) return std::nullopt;
  Failure failure = {.type = word_of(document[Key::type]), .code = word_of(document[Key::code])};
  if (failure.type.empty()) failure.type = word_of(document[Key::aws_type]);
  return failure;
}

Error error_of(std::string_view provider, int http_status, const Failure& failure) {
  std::string message(provider);
  if (http_status != 0)
    message.append(" answered HTTP ").append(std::to_string(http_status));
  else
    message.append(" answered with an error");
  if (!failure.type.empty()) message.append(": ").append(failure.type);
  if (!failure.code.empty()) {
    message.append(failure.type.empty() ? ": " : " (").append(failure.code);
    if (!failure.type.empty()) message.append(")");
  }
  return Error{Code::provider_failed, std::move(message), nullptr};
}

Error unreadable(std::string_view provider, std::string_view why) {
  return Error{Code::invalid_argument,
               "answer of " + std::string(provider) + ": usage cannot be read: " + std::string(why),
               nullptr};
}

std::string_view model_of(const Document& document) {
  for (const Json& model :
       {document[Key::model], document[Key::model_version], document[Key::message].find("model"),
        document[Key::response].find("model"), document[Key::response].find("modelVersion")})
    if (!model.text().empty()) return model.text().substr(0, 191);
  return {};
}

}  // namespace aimeter::provider
