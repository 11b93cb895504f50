"""Published methods to compare with, each from its paper, on Flower's own Strategy and ClientApp."""
