#include "hil/agent/usb/descriptors.hpp"

#include <endian.h>
#include <linux/usb/functionfs.h>

#include <cstring>
#include <span>

#include "hil/link/usb/identity.hpp"

namespace adze::hil::usb {
namespace {

/// Packets that a super-speed host may ask for in one go, as the kernel's adb gadget says.
constexpr __u8 kBurst = 4;
constexpr __u16 kEnglish = 0x0409;

struct Endpoints {
  usb_interface_descriptor interface;
  usb_endpoint_descriptor_no_audio out, in;
} __attribute__((packed));

struct SuperSpeedEndpoints {
  usb_interface_descriptor interface;
  usb_endpoint_descriptor_no_audio out;
  usb_ss_ep_comp_descriptor out_companion;
  usb_endpoint_descriptor_no_audio in;
  usb_ss_ep_comp_descriptor in_companion;
} __attribute__((packed));

struct Descriptors {
  usb_functionfs_descs_head_v2 head;
  __le32 full_count, high_count, super_count;
  Endpoints full, high;
  SuperSpeedEndpoints super;
} __attribute__((packed));

/// The kernel gives out other endpoint numbers if it likes.
Endpoints endpoints(__u16 packet_bytes) {
  const auto bulk = [&](int address) {
    return usb_endpoint_descriptor_no_audio{.bLength = USB_DT_ENDPOINT_SIZE,
                                            .bDescriptorType = USB_DT_ENDPOINT,
                                            .bEndpointAddress = static_cast<__u8>(address),
                                            .bmAttributes = USB_ENDPOINT_XFER_BULK,
                                            .wMaxPacketSize = htole16(packet_bytes),
                                            .bInterval = 0};
  };
  return {.interface = {.bLength = USB_DT_INTERFACE_SIZE,
                        .bDescriptorType = USB_DT_INTERFACE,
                        .bInterfaceNumber = 0,
                        .bAlternateSetting = 0,
                        .bNumEndpoints = 2,
                        .bInterfaceClass = kInterfaceClass,
                        .bInterfaceSubClass = kInterfaceSubclass,
                        .bInterfaceProtocol = kInterfaceProtocol,
                        .iInterface = 1},
          .out = bulk(1 | USB_DIR_OUT),
          .in = bulk(2 | USB_DIR_IN)};
}

SuperSpeedEndpoints super_speed_endpoints() {
  const Endpoints plain = endpoints(1024);
  const usb_ss_ep_comp_descriptor companion{.bLength = USB_DT_SS_EP_COMP_SIZE,
                                            .bDescriptorType = USB_DT_SS_ENDPOINT_COMP,
                                            .bMaxBurst = kBurst,
                                            .bmAttributes = 0,
                                            .wBytesPerInterval = 0};
  return {.interface = plain.interface,
          .out = plain.out,
          .out_companion = companion,
          .in = plain.in,
          .in_companion = companion};
}

template <class Struct>
std::vector<std::byte> bytes_of_struct(const Struct& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<std::byte> gadget_descriptors() {
  return bytes_of_struct(
      Descriptors{.head = {.magic = htole32(FUNCTIONFS_DESCRIPTORS_MAGIC_V2),
                           .length = htole32(sizeof(Descriptors)),
                           .flags = htole32(FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC |
                                            FUNCTIONFS_HAS_SS_DESC)},
                  .full_count = htole32(3),
                  .high_count = htole32(3),
                  .super_count = htole32(5),
                  .full = endpoints(64),
                  .high = endpoints(512),
                  .super = super_speed_endpoints()});
}

std::vector<std::byte> gadget_strings() {
  const std::size_t name_bytes = std::strlen(kInterfaceName) + 1;
  const __le16 language = htole16(kEnglish);
  usb_functionfs_strings_head head{.magic = htole32(FUNCTIONFS_STRINGS_MAGIC),
                                   .length = 0,
                                   .str_count = htole32(1),
                                   .lang_count = htole32(1)};
  std::vector<std::byte> bytes(sizeof head + sizeof language + name_bytes);
  head.length = htole32(static_cast<__u32>(bytes.size()));
  std::memcpy(bytes.data(), &head, sizeof head);
  std::memcpy(bytes.data() + sizeof head, &language, sizeof language);
  std::memcpy(bytes.data() + sizeof head + sizeof language, kInterfaceName, name_bytes);
  return bytes;
}

}  // namespace adze::hil::usb
