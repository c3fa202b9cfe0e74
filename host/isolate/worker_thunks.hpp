// In a worker: adze_edit and adze_report, each function a message to the host.
#pragma once

#include <adze/backend.h>

namespace adze::host {

const adze_edit* worker_edits();
const adze_report* worker_reports();

}  // namespace adze::host
