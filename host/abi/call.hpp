// One call of the host into a component: the thunks behind adze_call.
#pragma once

#include <adze/backend.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "host/abi/arguments.hpp"
#include "host/abi/view.hpp"
#include "host/edit/edit.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

/// What a host service (adze.calibration/1, ...) is given and gives: the extension's table, and the
/// object its functions find through Call::service<T>().
class Service {
 public:
  virtual ~Service() = default;
  virtual const char* id() const = 0;     ///< "adze.calibration/1"
  virtual const void* table() const = 0;  ///< const adze_calibration*, ...
};

using Progress = std::function<bool(double fraction, const std::string& doing)>;  ///< true: stop

struct CallOptions {
  std::uint32_t threads = 1;
  std::uint64_t seed = 0;
  const Target* target = nullptr;
  Progress progress;
};

/// Everything one adze_call points to. Backends get a report instead of edits; see backend.hpp.
class Call {
 public:
  Call(const Component& component, const Settings& settings, const CallOptions& options);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  adze_call* get() { return &call_; }
  void show(const View& view) {
    view_ = &view;
    call_.graph = view.graph();
  }
  /// What was shown last; nullptr: nothing so far.
  const View* view() const { return view_; }
  void accept(EditList& edits);
  void accept(const adze_report* report, void* receiver);
  void offer(Service& service);

  const Component& component() const { return component_; }
  EditList* edits() { return edits_; }
  std::uint64_t seed() const { return options_.seed; }
  template <class T>
  T& service() {
    return dynamic_cast<T&>(
        find_service_of_type([](Service* s) { return dynamic_cast<T*>(s) != nullptr; }));
  }
  template <class T>
  T& receiver() {
    return *static_cast<T*>(receiver_);
  }
  /// The Call behind an adze_call: what every thunk begins with.
  static Call& of(adze_call* call) { return *static_cast<Call*>(call->impl); }
  /// Records why the host refuses something and returns the code. A text of the plugin itself wins;
  /// this one is then shown as its cause. [any]
  adze_status fail(adze_status code, const std::string& text);
  /// Throws PluginError naming plugin, component, function and text unless status is ADZE_OK
  /// (Error CANCELLED when the user stopped it).
  void check(adze_status status, const char* function);
  /// The component broke a rule although it reported success: throws PluginError.
  [[noreturn]] void broke(const char* function, const std::string& rule);
  /// The last text of fail(), for a component that went on and reported success; "" without one.
  std::string refusal();
  /// Whether the user stopped the call: progress() has said so. [any]
  bool stopped();
  /// Throws Error INVALID_ARGUMENT when the component needs an extension that was not offered.
  void check_needs();

 private:
  friend struct HostThunks;
  Service& find_service_of_type(bool (*matches)(Service*));

  Component component_;
  Arguments arguments_;
  CallOptions options_;
  const View* view_ = nullptr;
  EditList* edits_ = nullptr;
  void* receiver_ = nullptr;
  std::vector<Service*> services_;
  std::mutex mutex_;  // of the following, and of progress()
  std::string error_, cause_;
  bool stopped_ = false;
  adze_call call_{};
};

/// What a component keeps between create() and destroy().
class Instance {
 public:
  /// Errors: as Call::check.
  explicit Instance(Call& call);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  void* self() const { return self_; }

 private:
  const adze_component* component_;
  void* self_ = nullptr;
};

/// Runs a pruner or quantizer on `graph` and returns what it asked for. Creates and destroys the
/// instance. `refits`: nodes it may change without pruning them (adze.refit/1). Errors:
/// PluginError; INVALID_ARGUMENT for arguments or an extension of `needs` that `services` does not
/// have.
EditList run_edit_component(const Component& component, const Settings& settings,
                            const Graph& graph, const std::vector<std::uint32_t>& targets,
                            const CallOptions& options, const std::vector<Service*>& services,
                            const std::vector<std::uint32_t>& refits = {});

}  // namespace adze::host
