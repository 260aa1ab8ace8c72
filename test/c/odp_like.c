// SPDX-License-Identifier: GPL-2.0
/*
 * xodp - on-demand paging of memory regions for the x HCA.
 *
 * ctx->regions_lock: the list of regions. ctx->map_lock: what the device has
 * mapped; taken by the mirror's callback, so never held over a page fault.
 */
#include <linux/hmm.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

struct xodp_ctx {
	struct mm_struct *mm;
	struct hmm_mirror mirror;
	struct mutex regions_lock;
	struct list_head regions;
	struct mutex map_lock;
};

struct xodp_region {
	struct list_head list;
	struct kref kref;
	u64 start, end;
};

struct xodp_work {
	struct hmm_range range;
	uint64_t pfn;
};

static int xodp_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	struct xodp_ctx *ctx = container_of(mirror, struct xodp_ctx, mirror);

	mutex_lock(&ctx->map_lock);
	device_unmap(hca, update->start, update->end);
	mutex_unlock(&ctx->map_lock);
	return 0;
}

static const struct hmm_mirror_ops xodp_mirror_ops = {
	.sync_cpu_device_pagetables = &xodp_sync,
};

static void xodp_region_free(struct kref *kref)
{
	kfree(container_of(kref, struct xodp_region, kref));
}

/* One page. Returns 1, or -EAGAIN, or another error. */
static int xodp_map_page(struct xodp_ctx *ctx, struct xodp_work *work, u64 addr)
{
	struct hmm_range *range = &work->range;
	long ret;

	memset(range, 0, sizeof(*range));
	range->pfns = &work->pfn;
	range->default_flags = 3;	/* valid and writable */
	ret = hmm_range_register(range, ctx->mm, addr, addr + PAGE_SIZE, PAGE_SHIFT);
	if (ret)
		return ret;

	down_read(&ctx->mm->mmap_sem);
	ret = hmm_range_fault(range, true);
	if (ret == -EAGAIN)	/* hmm has dropped mmap_sem */
		goto out;
	if (ret <= 0)
		goto out_up;

	mutex_lock(&ctx->map_lock);
	if (hmm_range_valid(range))
		device_map(hca, range);
	else
		ret = -EAGAIN;
	mutex_unlock(&ctx->map_lock);
out_up:
	up_read(&ctx->mm->mmap_sem);
out:
	hmm_range_unregister(range);
	return ret == 0 ? -EAGAIN : ret;
}

/* The device asks for [io_virt, io_virt + bcnt). Returns pages or an error. */
int xodp_pagefault(struct xodp_ctx *ctx, u64 io_virt, size_t bcnt)
{
	struct xodp_region *region = NULL, *tmp;
	struct xodp_work *work;
	int npages, done = 0, ret, i;

	work = kzalloc(sizeof(*work), GFP_KERNEL);
	if (!work)
		return -ENOMEM;

	mutex_lock(&ctx->regions_lock);
	list_for_each_entry(tmp, &ctx->regions, list) {
		if (tmp->start <= io_virt && io_virt < tmp->end) {
			region = tmp;
			break;
		}
	}
	if (!region || io_virt + bcnt > region->end) {
		pr_debug("xodp: no region at 0x%llx\n", io_virt);
		ret = -EINVAL;
		goto err_unlock;
	}
	kref_get(&region->kref);
	mutex_unlock(&ctx->regions_lock);

	if (!mmget_not_zero(ctx->mm)) {
		ret = -ESRCH;
		goto err_put;
	}
	npages = ALIGN(bcnt, PAGE_SIZE) >> PAGE_SHIFT;
	for (i = 0; i < npages; i++) {
		do {
			ret = xodp_map_page(ctx, work, io_virt + i * PAGE_SIZE);
		} while (ret == -EAGAIN || ret == -EBUSY);
		if (ret < 0)
			break;
		done += ret;
	}
	mmput(ctx->mm);
	if (done)
		ret = done;

err_put:
	kref_put(&region->kref, xodp_region_free);
	kfree(work);
	return ret;

err_unlock:
	mutex_unlock(&ctx->regions_lock);
	kfree(work);
	return ret;
}
EXPORT_SYMBOL(xodp_pagefault);

int xodp_reg(struct xodp_ctx *ctx, u64 start, size_t length)
{
	struct xodp_region *region = kzalloc(sizeof(*region), GFP_KERNEL);

	if (!region)
		return -ENOMEM;
	kref_init(&region->kref);
	region->start = start;
	region->end = start + length;
	mutex_lock(&ctx->regions_lock);
	list_add_tail(&region->list, &ctx->regions);
	mutex_unlock(&ctx->regions_lock);
	return 0;
}

struct xodp_ctx *xodp_open(struct mm_struct *mm)
{
	struct xodp_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	int ret;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	mutex_init(&ctx->regions_lock);
	mutex_init(&ctx->map_lock);
	INIT_LIST_HEAD(&ctx->regions);
	ctx->mm = mm;
	ctx->mirror.ops = &xodp_mirror_ops;
	down_write(&mm->mmap_sem);
	ret = hmm_mirror_register(&ctx->mirror, mm);
	up_write(&mm->mmap_sem);
	if (ret) {
		kfree(ctx);
		return ERR_PTR(ret);
	}
	mmgrab(mm);
	return ctx;
}

void xodp_close(struct xodp_ctx *ctx)
{
	struct xodp_region *region, *next;

	list_for_each_entry_safe(region, next, &ctx->regions, list) {
		list_del(&region->list);
		kref_put(&region->kref, xodp_region_free);
	}
	hmm_mirror_unregister(&ctx->mirror);
	mmdrop(ctx->mm);
	kfree(ctx);
}
MODULE_LICENSE("Dual BSD/GPL");
