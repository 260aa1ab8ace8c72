/** Devices with a page table of their own, as scripts drive them. */
import {
  address,
  currentMm,
  flags,
  number,
  object,
  optional,
  range as addresses,
  returnsNothing,
  returnsNumber,
  type Callable,
} from "../callable.ts";
import {
  device,
  device_map,
  device_map_addresses,
  device_map_page,
  device_read,
  device_unmap,
  device_unmap_range,
  device_write,
} from "../drivers/device.ts";
import { keepRecentFaults } from "../drivers/recent_fault.ts";
import { page } from "../mm/pgtable.ts";
import { hmm_range } from "../mm/hmm_types.ts";

const dev = object("dev", () => device);
const range = object("range", () => hmm_range);
const source = "no kernel file: it stands for what a driver does to its device";

export const deviceCallables: readonly Callable[] = [
  {
    name: "device_map",
    params: [dev, range, currentMm],
    result: returnsNumber,
    summary: "installs what a fault or snapshot of a range has found: pages",
    source,
    run: device_map,
  },
  {
    name: "device_map",
    params: [dev, addresses()],
    result: returnsNumber,
    summary:
      "the same for what this CPU's last fault or snapshot has found there: pages, or -EINVAL if it was elsewhere",
    source,
    image: keepRecentFaults,
    run: device_map_addresses,
  },
  {
    name: "device_map",
    params: [dev, address("address"), object("page", () => page), flags("access", { read: 0, write: 1 }, 0), currentMm],
    result: returnsNumber,
    summary: "installs one page, as get_user_pages_fast() gives it (for reading, or `write`): 1, or 0 for NULL",
    source,
    run: device_map_page,
  },
  {
    name: "device_unmap",
    params: [dev, range],
    result: returnsNothing,
    summary: "takes the pages of a range away; the device is through with them when it returns",
    source,
    run: device_unmap_range,
  },
  {
    name: "device_unmap",
    params: [dev, addresses()],
    result: returnsNothing,
    summary: "takes the pages of a range away; the device is through with them when it returns",
    source,
    run: device_unmap,
  },
  {
    name: "device_read",
    params: [dev, address("address")],
    result: returnsNumber,
    summary: "the device reads memory, whatever has become of the page; -EFAULT if it has none there",
    source,
    run: device_read,
  },
  {
    name: "device_write",
    params: [dev, address("address"), optional(number("value"), 1)],
    result: returnsNumber,
    summary: "the device writes memory, whatever has become of the page; -EFAULT if it may not, or has none there",
    source,
    run: device_write,
  },
];
