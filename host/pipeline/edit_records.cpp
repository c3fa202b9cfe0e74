#include "host/pipeline/edit_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "host/base/error.hpp"
#include "host/base/hash.hpp"

namespace adze::host {
namespace {

const char* kind_of(Edit::Kind kind) {
  switch (kind) {
    case Edit::Kind::constant:
      return "constant";
    case Edit::Kind::mask:
      return "mask";
    case Edit::Kind::channels:
      return "channels";
    case Edit::Kind::quant:
      return "quant";
  }
  return "";
}

template <class T>
std::string hash_of(const std::vector<T>& elements) {
  return sha256_hex(std::as_bytes(std::span(elements)));
}

/// The first constant that computes the channels.
std::string name_of_group(const EditList& edits, const Graph& shown, std::uint32_t group) {
  const std::vector<ChannelMember>& members = edits.channel_groups().groups.at(group).members;
  const auto source = std::ranges::find(members, ChannelRole::produces, &ChannelMember::role);
  return fmt::format("group {} of {}", group, shown.value(source->value).name);
}

EditRecord record_of(const EditList& edits, const Edit& edit, const Graph& shown,
                     const std::string& stage) {
  EditRecord record;
  record.stage = stage;
  record.kind = kind_of(edit.kind);
  if (edit.kind == Edit::Kind::channels) {
    record.target = name_of_group(edits, shown, edit.target);
    record.shape = {static_cast<std::int64_t>(edit.channels.size())};
    record.dtype = "uint32";
    record.sha256 = hash_of(edit.channels);
    return record;
  }
  const Value& value = shown.value(edit.target);
  record.target = value.name;
  if (edit.kind == Edit::Kind::constant) {
    record.shape = edit.constant.shape();
    record.dtype = info(edit.constant.dtype()).name;
    record.sha256 = sha256_hex(edit.constant.bytes());
  } else if (edit.kind == Edit::Kind::mask) {
    record.shape = value.constant->shape();
    record.dtype = "bool";
    record.sha256 = hash_of(edit.keep);
  } else if (edit.quant) {
    const Quant& quant = *edit.quant;
    record.shape = {static_cast<std::int64_t>(quant.scale.size())};
    record.dtype = fmt::format("{}int{}", quant.is_signed ? "" : "u", quant.bits);
    std::vector<std::byte> bytes;
    const auto append = [&](const auto& elements) {
      const auto raw = std::as_bytes(std::span(elements));
      bytes.insert(bytes.end(), raw.begin(), raw.end());
    };
    append(std::vector<std::int32_t>{quant.axis});
    append(quant.scale);
    append(quant.zero_point);
    record.sha256 = hash_of(bytes);
  } else {
    record.dtype = "none";
    record.sha256 = hash_of(std::vector<std::byte>());
  }
  return record;
}

}  // namespace

void append_records(const EditList& edits, const Graph& shown, const std::string& stage,
                    std::vector<EditRecord>& records) {
  std::map<std::pair<std::string, std::string>, EditRecord> effective;
  for (const Edit& edit : edits.edits()) {
    EditRecord record = record_of(edits, edit, shown, stage);
    effective[{record.target, record.kind}] = std::move(record);
  }
  for (auto& [key, record] : effective) records.push_back(std::move(record));
}

}  // namespace adze::host
