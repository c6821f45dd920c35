"""The papers that measures come from, by the short names under which measures cite them."""

#: What a measure says that comes from no paper.
OWN = "own definition"

#: Every cited paper by its short name.
PAPERS = {
    "Chen and Goodman 1999": "Stanley F. Chen and Joshua Goodman, An empirical study of smoothing techniques for "
    "language modeling, Computer Speech and Language 13(4), 1999",
    "Dong and Yang 2018": "Hao-Wen Dong and Yi-Hsuan Yang, Convolutional generative adversarial networks with binary "
    "neurons for polyphonic music generation, ISMIR 2018",
    "Dong et al. 2018": "Hao-Wen Dong, Wen-Yi Hsiao, Li-Chia Yang and Yi-Hsuan Yang, MuseGAN: Multi-track sequential "
    "generative adversarial networks for symbolic music generation and accompaniment, AAAI 2018",
    "Dong et al. 2020": "Hao-Wen Dong, Ke Chen, Julian McAuley and Taylor Berg-Kirkpatrick, MusPy: A toolkit for "
    "symbolic music generation, ISMIR 2020",
    "Dowson and Landau 1982": "D. C. Dowson and B. V. Landau, The Fréchet distance between multivariate normal "
    "distributions, Journal of Multivariate Analysis 12(3), 1982",
    "Foote 1999": "Jonathan Foote, Visualizing music and audio using self-similarity, ACM Multimedia 1999",
    "Harte et al. 2006": "Christopher Harte, Mark Sandler and Martin Gasser, Detecting harmonic change in musical "
    "audio, ACM Workshop on Audio and Music Computing Multimedia, 2006",
    "Heusel et al. 2017": "Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler and Sepp Hochreiter, "
    "GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NIPS 2017",
    "Krumhansl 1990": "Carol L. Krumhansl, Cognitive foundations of musical pitch, Oxford University Press, 1990",
    "Kullback and Leibler 1951": "Solomon Kullback and Richard A. Leibler, On information and sufficiency, The "
    "Annals of Mathematical Statistics 22(1), 1951",
    "McKay 2004": "Cory McKay, Automatic genre classification of MIDI recordings, M.A. thesis, McGill University, "
    "2004 (the features of jSymbolic)",
    "Mogren 2016": "Olof Mogren, C-RNN-GAN: Continuous recurrent neural networks with adversarial training, "
    "Constructive Machine Learning Workshop at NIPS 2016",
    "Müller 2015": "Meinard Müller, Fundamentals of music processing, Springer, 2015",
    "Swain and Ballard 1991": "Michael J. Swain and Dana H. Ballard, Color indexing, International Journal of "
    "Computer Vision 7(1), 1991",
    "Wu and Yang 2020": "Shih-Lun Wu and Yi-Hsuan Yang, The Jazz Transformer on the front line: Exploring the "
    "shortcomings of AI-composed music through quantitative measures, ISMIR 2020",
    "Yang and Lerch 2020": "Li-Chia Yang and Alexander Lerch, On the evaluation of generative models in music, "
    "Neural Computing and Applications 32, 2020 (online since 2018)",
}
