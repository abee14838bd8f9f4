// Names of the reference that become names of ours.
#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "base/json.h"
#include "drivers/laravel_database.h"

namespace aimeter::drivers::laravel {
namespace {

std::string type_of(std::string_view name) {
  const std::size_t last = name.rfind('\\');
  std::string type(last == std::string_view::npos ? name : name.substr(last + 1));
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return type;
}

}  // namespace

Result<std::map<std::string, std::string>> types_of(
    const std::vector<std::string>& classes, const std::map<std::string, std::string>& given) {
  for (const auto& [name, type] : given) {
    if (std::ranges::find(classes, name) == classes.end()) {
      return bad_input("--type", name + "=" + type,
                       classes.empty() ? "no class: the file names none"
                                       : fmt::format("one of {}", fmt::join(classes, ", ")));
    }
  }
  std::map<std::string, std::string> types;
  std::map<std::string, std::string> first;  // type -> the class that has it
  for (const std::string& name : classes) {
    const auto by_hand = given.find(name);
    const std::string type = by_hand != given.end() ? by_hand->second : type_of(name);
    AIMETER_CHECK_OK(base::check_id("billable_type of " + name, type));
    const auto [place, fresh] = first.emplace(type, name);
    if (!fresh && !(by_hand != given.end() && given.contains(place->second))) {
      return bad_input("billable_type", type,
                       fmt::format("one class of that name; {} and {} both are: say --type "
                                   "CLASS=TYPE for each of them",
                                   place->second, name));
    }
    types.emplace(name, type);
  }
  return types;
}

Result<Meta> meta_of(std::string_view json) {
  Meta meta;
  AIMETER_TRY(const base::Json value, base::Json::parse("meta", json));
  const bool none =
      value.is_null() || (value.kind() == base::Json::Kind::array && value.items().empty());
  if (none) return meta;  // PHP writes an empty array for an empty object
  if (value.kind() != base::Json::Kind::object) {
    return bad_input("meta", value.excerpt(), "an object");
  }
  for (const auto& [key, field] : value.members()) {
    meta[key] = field.kind() == base::Json::Kind::string ? field.string() : field.text();
  }
  return meta;
}

}  // namespace aimeter::drivers::laravel
