// What is written down about the edits of a stage: enough to see whether two runs did the same.
#pragma once

#include <string>
#include <vector>

#include "host/edit/edit.hpp"

namespace adze::host {

struct EditRecord {
  std::string stage, kind, target, dtype, sha256;
  Shape shape;
};

/// Appends one record an edit that takes effect (a later edit of one kind on one value replaces the
/// earlier), sorted by target and kind. `shown` is the graph the edits speak of.
void append_records(const EditList& edits, const Graph& shown, const std::string& stage,
                    std::vector<EditRecord>& records);

}  // namespace adze::host
