"""Paper: what forms are drawn with, and what fax machines do to it. Pillow and numpy alone."""
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DPI = 204
FONTS = "/usr/share/fonts/truetype/dejavu/"
FACES = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"), "narrow": ("DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf"),
    "serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"), "mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "slim": ("DejaVuSerifCondensed.ttf", "DejaVuSerifCondensed-Bold.ttf"),
}
LEVELS = ["clean", "typical", "poor", "standard", "gray"]
STORED = {"clean": ["g4-pdf", "g4-tif"], "typical": ["g4-pdf", "g4-tif", "g3-tif"], "poor": ["g4-tif", "g4-pdf"], "standard": ["g3-tif", "g4-pdf"], "gray": ["jpeg-pdf"]}
_loaded = {}


class Page:
    """A letter page, measured in points from its upper left corner."""

    def __init__(self, rng, face="sans", size=10.5):
        self.image = Image.new("L", (round(8.5 * DPI), 11 * DPI), 255)
        self.draw = ImageDraw.Draw(self.image)
        self.rng, self.face, self.size = rng, face, size

    def font(self, size=None, bold=False, face=None):
        key = (FACES[face or self.face][bold], round((size or self.size) * DPI / 72))
        if key not in _loaded:
            _loaded[key] = ImageFont.truetype(FONTS + key[0], key[1])
        return _loaded[key]

    def width(self, text, **style):
        return self.font(**style).getlength(text) * 72 / DPI

    def text(self, x, y, text, align="left", **style):
        """Text with its base line at y; gives where it ends."""
        wide = self.width(text, **style)
        left = {"left": x, "right": x - wide, "center": x - wide / 2}[align]
        self.draw.text((left * DPI / 72, y * DPI / 72), text, font=self.font(**style), fill=0, anchor="ls")
        return left + wide

    def paragraph(self, x, y, text, wide, leading=1.35, **style):
        """Wrapped text; gives the base line after the last."""
        line, step = "", (style.get("size") or self.size) * leading
        for word in text.split():
            if line and self.width(f"{line} {word}", **style) > wide:
                self.text(x, y, line, **style)
                y, line = y + step, word
            else:
                line = f"{line} {word}".strip()
        self.text(x, y, line, **style)
        return y + step

    def line(self, x0, y0, x1, y1, weight=0.8):
        self.draw.line([v * DPI / 72 for v in (x0, y0, x1, y1)], fill=0, width=max(1, round(weight * DPI / 72)))

    def box(self, x0, y0, x1, y1, weight=0.8, fill=None):
        self.draw.rectangle([v * DPI / 72 for v in (x0, y0, x1, y1)], outline=0, width=max(1, round(weight * DPI / 72)), fill=fill)

    def tick(self, x, y, ticked, side=9, how=None):
        """A drawn box on the base line y, ticked by pen or empty; gives where text may follow."""
        top = y - side + 0.5
        self.box(x, top, x + side, top + side, 0.9)
        how = (how or self.rng.choice(["x", "check", "fill"])) if ticked else None
        off = lambda reach: self.rng.uniform(-reach, reach)
        if how == "x":
            over = self.rng.uniform(-1.5, 1.5)
            self.line(x - over + off(1), top - over + off(1), x + side + over + off(1), top + side + over + off(1), 1.3)
            self.line(x + side + over + off(1), top - over + off(1), x - over + off(1), top + side + over + off(1), 1.3)
        elif how == "check":
            low = (x + side * 0.42 + off(1), top + side * 0.92 + off(0.8))
            self.line(x + side * 0.12 + off(0.8), top + side * 0.5 + off(0.8), *low, 1.5)
            self.line(*low, x + side * 1.15 + off(1.5), top - side * 0.15 + off(1.5), 1.5)
        elif how == "fill":
            self.box(x + 1, top + 1, x + side - 1, top + side - 1, 0.5, fill=int(self.rng.uniform(0, 60)))
        return x + side + 4


def _turned(gray, degrees, shift):
    return np.asarray(Image.fromarray(gray).rotate(degrees, Image.Resampling.BILINEAR, translate=shift, fillcolor=255))


def _blotches(generator, shape, strength):
    small = generator.normal(0, 1, (shape[0] // 24 + 1, shape[1] // 24 + 1)).astype(np.float32)
    wide = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(wide) * strength


def degrade(image, level, generator, header):
    """A page as it comes out of a fax machine: pixels, and dots an inch across and down."""
    gray = np.asarray(image.resize((1728, 2156), Image.Resampling.BILINEAR))
    height, width = gray.shape
    skew = {"clean": 0, "gray": 0.4, "typical": 0.7, "standard": 0.7, "poor": 1.9}[level]
    if skew:
        gray = _turned(gray, generator.uniform(-skew, skew), tuple(generator.uniform(-8, 8, 2)))
    noise = {"clean": 0, "gray": 6, "typical": 10, "standard": 10, "poor": 18}[level]
    blur = {"clean": 0, "gray": 0.6, "typical": 0, "standard": 0, "poor": 0.8}[level]
    if blur:
        gray = np.asarray(Image.fromarray(gray).filter(ImageFilter.GaussianBlur(blur)))
    gray = gray.astype(np.float32)
    if level == "poor":
        gray += _blotches(generator, gray.shape, 15)
    gray = np.clip(gray + generator.normal(0, noise, gray.shape), 0, 255).astype(np.uint8) if noise else gray.astype(np.uint8)
    if header:
        band = Image.new("L", (width, 28), 255)
        ImageDraw.Draw(band).text((24, 21), header, font=ImageFont.truetype(FONTS + "DejaVuSansMono.ttf", 19), fill=0, anchor="ls")
        gray = np.vstack([np.asarray(band), gray])[:height]
    if level == "gray":
        return np.clip(gray.astype(np.float32) * 0.85 + 22, 0, 255).astype(np.uint8), (204, 196)
    page = np.where(gray < (128 if level == "clean" else generator.integers(108, 158)), 0, 255).astype(np.uint8)
    if level != "clean":
        page[generator.random(page.shape) < (0.003 if level == "poor" else 0.0006)] = 0
        for _ in range(generator.integers(0, 4)):
            row = generator.integers(0, height)
            page[row:row + generator.integers(1, 3)] = 255 if generator.random() < 0.6 else 0
    if level == "poor":
        column = generator.integers(0, width)
        page[:, column:column + 2] = 0
    if level == "standard":
        half = np.asarray(Image.fromarray(page).resize((width, height // 2), Image.Resampling.BOX))
        return np.where(half < 150, 0, 255).astype(np.uint8), (204, 98)
    return page, (204, 196)


def store(pages, path, stored):
    """Writes pages as a fax server would; gives the file's name."""
    images = [Image.fromarray(page) for page, _ in pages]
    dots = pages[0][1]
    if stored == "jpeg-pdf":
        again = []
        for image in images:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=60)
            again.append(Image.open(buffer))
        images = again
    else:
        images = [image.convert("1", dither=Image.Dither.NONE) for image in images]
    if stored.endswith("pdf"):
        path = path.with_suffix(".pdf")
        images[0].save(path, "PDF", save_all=True, append_images=images[1:], dpi=dots)
    else:
        path = path.with_suffix(".tif")
        images[0].save(path, "TIFF", save_all=True, append_images=images[1:], compression="group4" if stored.startswith("g4") else "group3", dpi=dots)
    return path.name
