"""RMSNorm, convolution and selective scan, each in two ways: PyTorch operations that run on any
device in any precision (class Torch), and the C loops of kernels.c for float32 on a CPU
(class Native). Both have the same methods; the tests hold one against the other."""

import ctypes
import functools
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F

SOURCE = pathlib.Path(__file__).with_name("kernels.c")
LANES, CHUNK = 8, 32  # as in kernels.c


class LinearScan(torch.autograd.Function):
    """h[t] = a[t] h[t-1] + b[t] with h before the first token zero, along axis 1, in log2(T)
    passes over the whole tensor. Its gradient is the same recurrence backwards in time, so only
    a and h are kept for it. Every a lies in [0, 1], so products of them cannot overflow."""

    @staticmethod
    def scan(a, b):
        step = 1
        while step < a.shape[1]:
            b = torch.cat([b[:, :step], b[:, step:] + a[:, step:] * b[:, :-step]], 1)
            a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], 1)
            step *= 2
        return b

    @staticmethod
    def forward(ctx, a, b):
        h = LinearScan.scan(a, b)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx, dh):
        a, h = ctx.saved_tensors
        after = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)
        db = LinearScan.scan(after.flip(1), dh.flip(1)).flip(1)
        before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
        return db * before, db


class Torch:
    """Plain PyTorch: any device, any float type. Shapes: B sequences, T tokens, E channels,
    N states, K taps."""

    def rms_norm(self, x, weight, eps):
        """x / sqrt(mean(x^2) + eps) * weight over the last axis."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight

    def conv_silu(self, x, before, weight, bias):
        """silu of the causal convolution of x (B, T, E), whose K-1 inputs before the first token
        are before (B, K-1, E); weight (E, 1, K), bias (E)."""
        x = torch.cat([before, x], 1).transpose(1, 2)
        return F.silu(F.conv1d(x, weight, bias, groups=x.shape[1])).transpose(1, 2)

    def scan(self, dt, u, z, b, c, a, d, h, window=0, keep=None):
        """The selective scan with D and the gate: dt, u, z (B, T, E), dt before its softplus;
        b, c (B, T, N); a (E, N) negative; d (E); h (B, E, N) the state before the first token.
        Returns y (B, T, E) and the state after the last token, which carries no gradient.

        With a window, the tokens fall into windows of that many. The state is multiplied by keep
        (B, windows) as a window begins, and a third result, without a gradient too, is the
        mean over N of the state (B, windows, E) as every window finds it, before keep."""
        delta = F.softplus(dt, threshold=60)
        decay = torch.exp(delta[..., None] * a)
        inputs = (delta * u)[..., None] * b[:, :, None]
        if keep is not None:
            factor = torch.ones_like(u[..., :1])
            factor[:, ::window, 0] = keep
            decay = decay * factor[..., None]
        first = inputs[:, :1] + decay[:, :1] * h[:, None]
        states = LinearScan.apply(decay, torch.cat([first, inputs[:, 1:]], 1))
        y = (torch.einsum("bten,btn->bte", states, c) + d * u) * F.silu(z)
        states = states.detach()
        if not window:
            return y, states[:, -1]
        return y, states[:, -1], torch.cat([h[:, None], states[:, window - 1:-1:window]], 1).mean(-1)


class ScanArgs(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in ("B", "T", "E", "N", "z_stride", "bc_stride")] + [
        (n, ctypes.c_void_p) for n in ("dt", "u", "z", "b", "c", "A", "D", "h0", "keep", "y", "h", "saved")]


class ScanGrads(ctypes.Structure):
    _fields_ = [(n, ctypes.c_void_p) for n in ("dy", "ddt", "du", "dz", "db", "dc", "dA", "dD")]


@functools.lru_cache(maxsize=None)
def library():
    return build()


def build(compiler=None):
    """Compiles kernels.c for this machine and loads it. The library is kept in the user's cache
    folder under a name made of the source, the compiler and the processor."""
    compiler = compiler or os.environ.get("CC", "cc")
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC"]
    native = subprocess.run([compiler, "-march=native", "-E", "-v", "-x", "c", "/dev/null"],
                            capture_output=True, check=True).stderr
    key = hashlib.sha256(SOURCE.read_bytes() + native + repr(flags).encode()).hexdigest()[:16]
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mmrun"
    library = folder / f"kernels-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = pathlib.Path(work) / library.name
            subprocess.run([compiler, *flags, str(SOURCE), "-o", str(made), "-lm"], check=True)
            os.replace(made, library)
    return ctypes.CDLL(str(library))


def check(name, *tensors):
    for x in tensors:
        if x.dtype != torch.float32 or x.device.type != "cpu":
            raise ValueError(f"{name}: the C kernels need float32 on the CPU, not {x.dtype} on {x.device}")
        if x.stride(-1) != 1:
            raise ValueError(f"{name}: the last axis is not contiguous")


def row_stride(name, x):
    """The distance between two tokens' rows of x (B, T, ·), which may be a slice of a wider one."""
    if x.stride(0) != x.shape[1] * x.stride(1):
        raise ValueError(f"{name}: sequences are not one after another in memory")
    return x.stride(1)


def lanes(name, width):
    if width % LANES:
        raise ValueError(f"{name}: {width} channels are no multiple of {LANES}, which the C kernels need")


class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, lib, x, weight, eps):
        x = x.contiguous()
        rows, width = x.numel() // x.shape[-1], x.shape[-1]
        check("rms norm", x, weight)
        lanes("rms norm", width)
        y, inv = torch.empty_like(x), torch.empty(rows)
        lib.rms_forward(rows, width, ctypes.c_float(eps), *pointers(x, weight, y, inv))
        ctx.lib = lib
        ctx.save_for_backward(x, weight, inv)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, inv = ctx.saved_tensors
        dy = dy.contiguous()
        dx, dw = torch.empty_like(x), torch.zeros_like(weight)
        ctx.lib.rms_backward(inv.numel(), x.shape[-1], *pointers(x, weight, inv, dy, dx, dw))
        return None, dx, dw, None


class ConvSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, lib, x, before, weight, bias):
        B, T, E = x.shape
        taps = weight.shape[-1]
        before, w = before.contiguous(), weight[:, 0].t().contiguous()
        check("convolution", x, before, w, bias)
        lanes("convolution", E)
        y = torch.empty(B, T, E)
        ctx.lib, ctx.sizes = lib, (B, T, E, taps)
        lib.conv_forward(*ctx.sizes, *pointers(x), row_stride("convolution", x), *pointers(before, w, bias, y))
        ctx.save_for_backward(x, before, w, bias)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, before, w, bias = ctx.saved_tensors
        dy = dy.contiguous()
        dx, dw, db = torch.zeros(x.shape), torch.zeros_like(w), torch.zeros_like(bias)
        ctx.lib.conv_backward(*ctx.sizes, *pointers(x), row_stride("convolution", x),
                              *pointers(before, w, bias, dy, dx, dw, db))
        return None, dx, None, dw.t()[:, None].contiguous(), db


class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, lib, dt, u, z, b, c, a, d, h, keep):
        dt, u, a, h = dt.contiguous(), u.contiguous(), a.contiguous(), h.contiguous()
        (B, T, E), N = u.shape, a.shape[1]
        check("scan", dt, u, z, b, c, a, d, h)
        lanes("scan", E)
        if row_stride("scan", b) != row_stride("scan", c):
            raise ValueError(f"scan: row strides of b and c differ: {b.stride(1)} and {c.stride(1)}")
        y, last = torch.empty_like(u), torch.empty_like(h)
        saved = torch.empty(B, -(-T // CHUNK), E, N)
        ctx.lib = lib
        ctx.save_for_backward(dt, u, z, b, c, a, d, h, keep, saved)
        done(lib.scan_forward(ctypes.byref(Scan.args(dt, u, z, b, c, a, d, h, keep, y, last, saved))))
        ctx.mark_non_differentiable(last, saved)
        return y, last, saved

    @staticmethod
    def args(dt, u, z, b, c, a, d, h, keep, y, last, saved):
        sizes = (*u.shape, a.shape[1], row_stride("scan", z), row_stride("scan", b))
        return ScanArgs(*sizes, *pointers(dt, u, z, b, c, a, d, h, keep, y, last, saved))

    @staticmethod
    def backward(ctx, dy, *_):
        dt, u, z, b, c, a, d, h, keep, saved = ctx.saved_tensors
        dy = dy.contiguous()
        ddt, du, dz = torch.empty_like(u), torch.empty_like(u), torch.empty_like(u)
        db, dc = torch.empty(b.shape), torch.empty(c.shape)
        da, dd = torch.empty_like(a), torch.zeros_like(d)
        args = Scan.args(dt, u, z, b, c, a, d, h, keep, None, None, saved)
        grads = ScanGrads(*pointers(dy, ddt, du, dz, db, dc, da, dd))
        done(ctx.lib.scan_backward(ctypes.byref(args), ctypes.byref(grads)))
        return None, ddt, du, dz, db, dc, da, dd, None, None


def pointers(*tensors):
    return [ctypes.c_void_p(None if x is None else x.data_ptr()) for x in tensors]


def done(status):
    if status:
        raise MemoryError("scan: out of memory")


class Native:
    """The same three operations by the loops of kernels.c: float32, CPU, one thread, channel
    counts that are multiples of 8. No gradient flows into the states before the first token."""

    def __init__(self):
        self.lib = library()
        self.lib.scan_forward.argtypes = [ctypes.c_void_p]
        self.lib.scan_backward.argtypes = [ctypes.c_void_p] * 2

    def rms_norm(self, x, weight, eps):
        return RMSNorm.apply(self.lib, x, weight, eps)

    def conv_silu(self, x, before, weight, bias):
        return ConvSiLU.apply(self.lib, x, before, weight, bias)

    def scan(self, dt, u, z, b, c, a, d, h, window=0, keep=None):
        if window % CHUNK:
            raise ValueError(f"scan: the C kernels need a window that is a multiple of {CHUNK}, not {window}")
        chunks = window // CHUNK
        if keep is not None:  # per chunk, 1 inside of a window
            factor = torch.ones(len(u), -(-u.shape[1] // CHUNK))
            factor[:, ::chunks] = keep
            keep = factor
        y, last, saved = Scan.apply(self.lib, dt, u, z, b, c, a, d, h, keep)
        if not window:
            return y, last
        (B, _, E), N = u.shape, a.shape[1]
        return y, last, saved[:, ::chunks].view(B, -1, E // LANES, N, LANES).mean(-2).flatten(2)


def commit(importance, noted, counts, window, size, priority):
    """Follows a pool of at most size notes from window to window, on the CPU whatever the device:
    it is all comparisons, one note after the other. importance (B, past + T) of the notes in the
    pool at first, of which sequence b has counts[b], and of the tokens; noted (B, T) tells which
    tokens leave a note. Returns the places in importance of the pool's notes, oldest first, as
    every window finds it and after the last (B, windows + 1, size), and their counts."""
    (B, T), device = noted.shape, noted.device
    given = [x.detach().cpu().contiguous() for x in (importance.double(), noted.to(torch.uint8), counts.int())]
    windows = -(-T // window) + 1
    table, found = torch.zeros(B, windows, size, dtype=torch.long), torch.empty(B, windows, dtype=torch.long)
    library().commit(B, T, importance.shape[1] - T, window, size, int(priority), *pointers(*given, table, found))
    return table.to(device), found.to(device)


def keep_freed_memory():
    """Tells glibc to keep large freed blocks rather than give them back: training allocates the
    same large tensors every step, and the page faults cost as much as the arithmetic."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def make(name):
    """The kernels called name: "c" or "torch"."""
    if name == "c":
        return Native()
    if name == "torch":
        return Torch()
    raise ValueError(f"kernels: {name!r} is neither \"c\" nor \"torch\"")
